/** `deno task build:portable`: dist/stella from launcher, Deno itself and stella.js, no denort. */
import { createHash } from "node:crypto";
import { encodePlaces, trailerMagic } from "../assets/self.ts";
import { StellaError } from "../domain/errors.ts";
import { launcherConfig } from "./launcher_config.ts";
import { assertStarts, run } from "./run.ts";
import { type Script, setTime } from "./script.ts";

const pageSize = 4096;
const sources = new URL(".", import.meta.url).pathname;

/**
 * Builds `directory`/stella. The same script, Deno and compiler give the same bytes.
 * @throws StellaError usage if the machine or its tools are not suitable, defect if the compiler
 * fails
 */
export async function buildPortable(script: Script, directory: string): Promise<string> {
  assertPlatform();
  const partial = await Deno.makeTempDir({ dir: directory, prefix: ".portable-" });
  try {
    const image = await Deno.readFile(Deno.execPath());
    const launcher = await compileLauncher(partial, glibcMinorOf(image));
    const path = `${partial}/stella`;
    await writeParts(path, parts(launcher, image, await Deno.readFile(script.path)));
    await setTime(path, script.stamp);
    // A result that does not start never gets its final name.
    await assertStarts(path);
    await Deno.rename(path, `${directory}/stella`);
  } finally {
    await Deno.remove(partial, { recursive: true });
  }
  return `${directory}/stella`;
}

function assertPlatform(): void {
  const { target } = Deno.build;
  if (target === "x86_64-unknown-linux-gnu") return;
  throw new StellaError("argument_invalid", `Cannot build the portable form on ${target}`, {
    hint: "its launcher is for Linux on x86-64 with glibc only; deno task build has no such limit",
  });
}

/** Compiles the launcher; its configuration is generated beside it. */
async function compileLauncher(directory: string, glibcMinor: number): Promise<Uint8Array> {
  await Deno.writeTextFile(`${directory}/launcher_config.h`, launcherConfig(glibcMinor));
  const output = `${directory}/launcher`;
  const args = [...compilerFlags, `-I${directory}`, `-I${sources}`, "-o", output];
  const compiler = await findCompiler();
  const { code, stderr } = await run(compiler, [...args, `${sources}launcher.c`]);
  if (code === 0) return await Deno.readFile(output);
  const text = `Cannot compile the launcher with ${compiler}: ${stderr.trim()}`;
  throw new StellaError("build_failed", text, {
    hint: "install the C library's headers (Debian: gcc and libc6-dev)",
  });
}

/** No C library, and nothing that depends on the path of the sources. */
const compilerFlags = [
  "-std=gnu11",
  "-O2",
  "-Wall",
  "-Wextra",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-pie",
  "-no-pie",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-Wl,--build-id=none",
  "-Wl,-z,noexecstack",
  "-s",
];

async function findCompiler(): Promise<string> {
  const chosen = Deno.env.get("CC");
  const candidates = chosen ? [chosen] : ["cc", "gcc", "clang"];
  for (const name of candidates) {
    if ((await run(name, ["--version"])).code === 0) return name;
  }
  const text = `Cannot build the launcher: found no ${candidates.join(", ")}`;
  throw new StellaError("toolchain_missing", text, {
    hint: "install a C compiler (Debian: apt install gcc libc6-dev) or set CC",
  });
}

/** The newest GLIBC_2.N in the executable's symbol versions, within its first megabytes. */
export function glibcMinorOf(image: Uint8Array): number {
  const head = new TextDecoder("latin1").decode(image.subarray(0, 4 * 1024 * 1024));
  const minors = [...head.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
  if (minors.length > 0) return Math.max(...minors);
  const text = "Cannot tell which glibc Deno needs: it names no GLIBC_2 version";
  throw new StellaError("build_failed", text);
}

function parts(launcher: Uint8Array, image: Uint8Array, script: Uint8Array): Uint8Array[] {
  const padding = new Uint8Array((pageSize - launcher.length % pageSize) % pageSize);
  const imageOffset = launcher.length + padding.length;
  const scriptOffset = imageOffset + image.length;
  const places = { imageOffset, imageSize: image.length, scriptOffset, scriptSize: script.length };
  return [launcher, padding, image, script, encodePlaces(places)];
}

async function writeParts(path: string, covered: Uint8Array[]): Promise<void> {
  const hash = createHash("sha256");
  const magic = new TextEncoder().encode(trailerMagic);
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o755 });
  const writer = file.writable.getWriter();
  for (const part of covered) {
    hash.update(part);
    await writer.write(part as Uint8Array<ArrayBuffer>);
  }
  await writer.write(hash.digest());
  await writer.write(magic);
  await writer.close();
  await Deno.chmod(path, 0o755);
}

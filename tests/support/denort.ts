/**
 * `deno task denort`: a base for `deno compile` where Deno's own download of it cannot be reached.
 * For tests only: a binary for users is built with Deno's denort, and neither the package nor what
 * is cut out of it is ever shipped.
 *
 * The npm package below holds a program that `deno compile` of Deno 2.9.4 made for Linux on x86-64.
 * denort is cut out of it, and both are compared with digests that stand here. `deno task build
 * --allow-other-denort` compiles with it, although Deno is newer, as long as the two differ in the
 * last number of the version only.
 */
import { createHash } from "node:crypto";
import { cutDenort } from "./cut_denort.ts";

const source = {
  package: "@chelonia/cli-x64-linux@3.4.0",
  integrity:
    "sha512-ey7BqNiIOY2PkpN/UYxjpmOG1A7HmplyadP80omXTG1DVu1fbz7ro/d4gRPtHaxPRkNJTS24lDejc5/rT/3RMA==",
  program: "package/chel",
};
const denort = {
  version: "2.9.4",
  target: "x86_64-unknown-linux-gnu",
  sha256: "723d45cca4f68bd66652da1e0d45562b0700317c1535981035f50f078785a131",
};

/** Its path; Git ignores `dist`. */
export const denortPath = new URL("../../dist/denort/denort", import.meta.url).pathname;

/** The package or its tools cannot be had on this machine: no fault of what is tested. */
export class Unavailable extends Error {}

/**
 * Ensures that denort is at `denortPath`.
 * @throws Unavailable where it cannot be had here, Error where what was downloaded has another
 * digest
 */
export async function obtainDenort(): Promise<void> {
  assertFits(Deno.build.target, Deno.version.deno);
  if (await digestAt(denortPath) === denort.sha256) return;
  const directory = denortPath.slice(0, denortPath.lastIndexOf("/"));
  await Deno.mkdir(directory, { recursive: true });
  const partial = await Deno.makeTempDir({ dir: directory, prefix: ".download-" });
  try {
    const base = cutDenort(await downloadProgram(partial));
    assertDigest("denort", hex(base), denort.sha256);
    await Deno.writeFile(`${partial}/denort`, base, { mode: 0o755 });
    await Deno.rename(`${partial}/denort`, denortPath);
  } finally {
    await Deno.remove(partial, { recursive: true });
  }
}

/** @throws Unavailable where this Deno cannot compile with it */
export function assertFits(target: string, deno: string): void {
  if (target !== denort.target) throw new Unavailable(`it is for ${denort.target}, not ${target}`);
  const line = (version: string) => version.split(".").slice(0, 2).join(".");
  if (line(deno) === line(denort.version)) return;
  throw new Unavailable(`it is of Deno ${denort.version}, and this is Deno ${deno}`);
}

/**
 * The compiled program in the package, which npm gets from the registry that it is configured for.
 */
async function downloadProgram(directory: string): Promise<Uint8Array> {
  const packed = await output("npm", ["pack", "--silent", "--ignore-scripts", source.package], {
    cwd: directory,
  });
  const archive = `${directory}/${new TextDecoder().decode(packed).trim()}`;
  const bytes = await Deno.readFile(archive);
  const digest = createHash("sha512").update(bytes).digest("base64");
  assertDigest(source.package, `sha512-${digest}`, source.integrity);
  return await output("tar", ["-xzOf", archive, source.program], {});
}

/** What a tool prints. @throws Unavailable where not found, fails or takes five minutes */
async function output(
  name: string,
  args: string[],
  options: { cwd?: string },
): Promise<Uint8Array> {
  const command = new Deno.Command(name, {
    args,
    ...options,
    stdin: "null",
    signal: AbortSignal.timeout(300_000),
  });
  const { code, stdout, stderr } = await command.output().catch((cause) => {
    throw new Unavailable(`${name} cannot be started`, { cause });
  });
  if (code === 0) return stdout;
  throw new Unavailable(`${name} failed: ${new TextDecoder().decode(stderr).trim()}`);
}

async function digestAt(path: string): Promise<string | undefined> {
  return await Deno.readFile(path).then(hex, () => undefined);
}

function hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function assertDigest(what: string, found: string, expected: string): void {
  if (found === expected) return;
  throw new Error(`Cannot use ${what}: its digest is ${found}, expected ${expected}`);
}

if (import.meta.main) {
  try {
    await obtainDenort();
    Deno.stdout.writeSync(new TextEncoder().encode(`${denortPath}\n`));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    Deno.stderr.writeSync(new TextEncoder().encode(`Cannot get denort: ${text}\n`));
    Deno.exit(error instanceof Unavailable ? 16 : 1);
  }
}

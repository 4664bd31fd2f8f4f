/**
 * Finds the base of `deno compile`: denort, Deno's runtime without its tools, of the same version:
 * DENORT_BIN, a zip in Deno's cache, or a download without a timeout, which is tried first.
 */
import { Buffer } from "node:buffer";
import { StellaError } from "../domain/errors.ts";
import { run } from "./run.ts";

const probeLimit = 10_000;

/** The platforms that `deno compile` of this version supports (`deno compile --help`). */
export const targets: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-pc-windows-msvc",
  "aarch64-pc-windows-msvc",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
];

/**
 * Checks that `deno compile` will find denort, or can download it.
 * @param target one of `targets`; DENORT_BIN, if set, must be for it
 * @throws StellaError usage with the ways to get it
 */
export async function assertDenort(target: string = Deno.build.target): Promise<void> {
  const chosen = Deno.env.get("DENORT_BIN");
  if (chosen) {
    if (await isFile(chosen)) return;
    const text = `Cannot compile: DENORT_BIN names no file: ${JSON.stringify(chosen)}`;
    throw new StellaError("toolchain_missing", text);
  }
  const zip = `release/v${Deno.version.deno}/denort-${target}.zip`;
  const { stdout } = await run(Deno.execPath(), ["info", "--json", "--no-config"]);
  const { denoDir }: { denoDir: string } = JSON.parse(stdout);
  const cached = `${denoDir}/dl/${zip}`;
  if (await isFile(cached)) return;
  const url = `https://dl.deno.land/${zip}`;
  const trouble = await probe(url);
  if (trouble === undefined) return;
  throw new StellaError("toolchain_missing", `Cannot compile: ${url} cannot be had (${trouble})`, {
    hint: [
      "one of these helps:",
      `  put that file, from a machine that has it, at ${cached}`,
      "  set DENORT_BIN to the path of the unpacked denort",
      "  deno task build:portable builds one file without it (Linux x86-64, needs a C compiler)",
    ].join("\n"),
  });
}

/** Read from the file, `Deno/2.9.6+e518fbd`: denort prints no version, a foreign one cannot run. */
export function denoVersionIn(program: Uint8Array): string | undefined {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  for (let at = bytes.indexOf("Deno/"); at >= 0; at = bytes.indexOf("Deno/", at + 1)) {
    const found = /^Deno\/(\d+\.\d+\.\d+)\+[0-9a-f]{7}/.exec(bytes.toString("latin1", at, at + 40));
    if (found?.[1] !== undefined) return found[1];
  }
  return undefined;
}

/**
 * What the compiler adds to denort, and where denort looks for it, depends on the Deno version.
 * @param allowOther accepts another version
 * @returns the version of `program`
 * @throws StellaError usage if it is not this Deno's version
 */
export function assertDeno(program: Uint8Array, allowOther: boolean): string {
  const found = denoVersionIn(program);
  const expected = Deno.version.deno;
  if (found === expected || (found !== undefined && allowOther)) return found;
  const [reason, other] = found === undefined
    ? ["it names no version of Deno", "--stand-in tries the build with any file"]
    : [
      `it is of Deno ${found}, and this is Deno ${expected}`,
      "for tests --allow-other-denort takes this one",
    ];
  throw new StellaError("toolchain_missing", `Cannot compile with this denort: ${reason}`, {
    hint: `set DENORT_BIN to the denort of Deno ${expected}; ${other}`,
  });
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile ?? false;
}

/** Why a URL cannot be downloaded, or undefined. */
async function probe(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(probeLimit) });
    return answer.ok ? undefined : `status ${answer.status}`;
  } catch (cause) {
    return cause instanceof Error && cause.name === "TimeoutError"
      ? `no answer in ${probeLimit / 1000} s`
      : "no connection";
  }
}

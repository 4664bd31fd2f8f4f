/** `deno task build`: dist/stella by `deno compile`, limited by config/permissions.ts. */
import { engineFlags, permissionFlags, unstableFlags } from "../config/permissions.ts";
import { StellaError } from "../domain/errors.ts";
import { assertDeno, assertDenort } from "./denort.ts";
import { assertStarts, run } from "./run.ts";
import { type Script, setTime } from "./script.ts";

/**
 * Never `-A`. No configuration or lock file is used: the script is complete. No code cache: it
 * would be a file in the shared temporary directory that the program writes and later runs.
 */
export function compileFlags(): string[] {
  return [
    "--quiet",
    "--no-config",
    "--no-lock",
    "--no-check",
    "--no-code-cache",
    ...unstableFlags,
    engineFlags,
    ...permissionFlags(),
  ];
}

export interface CompileOptions {
  /** One of denort.ts's `targets`; default: this platform. DENORT_BIN, if set, must be for it. */
  target?: string;
  /** Accepts the denort of another Deno version, which may not fit: for tests. */
  allowOther?: boolean;
  /** Accepts any file in place of denort, to try the build: the result cannot be started. */
  standIn?: boolean;
}

export interface Compiled {
  path: string;
  /** The Deno version in the result; for a stand-in, that of the builder. */
  deno: string;
}

/**
 * Compiles a script of buildScript to `directory`/stella, or `directory`/TARGET/stella, with `.exe`
 * for Windows; with a stand-in below `directory`/stand-in, never to be mistaken for a real one.
 * @throws StellaError usage if denort is not available or of another version, defect if the
 * compiler fails
 */
export async function compile(
  script: Script,
  directory: string,
  options: CompileOptions = {},
): Promise<Compiled> {
  const { target, standIn = false } = options;
  await assertDenort(target);
  const flags = target === undefined ? [] : ["--target", target];
  const folder = [directory, ...(standIn ? ["stand-in"] : []), ...(target ? [target] : [])];
  const partial = await Deno.makeTempDir({ dir: directory, prefix: ".compile-" });
  try {
    await Deno.copyFile(script.path, `${partial}/stella.js`);
    await setTime(`${partial}/stella.js`, script.stamp);
    await compileIn(partial, flags);
    const name = [...Deno.readDirSync(`${partial}/out`)][0]?.name;
    const made = `${partial}/out/${name}`;
    const deno = standIn ? Deno.version.deno : await assertReal(made, options);
    await setTime(made, script.stamp);
    await Deno.mkdir(folder.join("/"), { recursive: true });
    await Deno.rename(made, [...folder, name].join("/"));
    return { path: [...folder, name].join("/"), deno };
  } finally {
    await Deno.remove(partial, { recursive: true });
  }
}

/** @returns the Deno version in the file; one for another platform can only be read, not started */
async function assertReal(made: string, options: CompileOptions): Promise<string> {
  const { target = Deno.build.target, allowOther = false } = options;
  const deno = assertDeno(await Deno.readFile(made), allowOther);
  if (target === Deno.build.target) await assertStarts(made);
  return deno;
}

/** The compiler adds `.exe` by itself if needed: the result is the only file in `out`. */
async function compileIn(cwd: string, options: string[]): Promise<void> {
  await Deno.mkdir(`${cwd}/out`);
  const args = ["compile", ...options, ...compileFlags(), "--output", "out/stella", "stella.js"];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd, limit: 600_000 });
  if (code === 0) return;
  throw new StellaError("build_failed", `Cannot compile: ${stderr.trim()}`);
}

/**
 * `deno task build`: dist/stella by `deno compile`, with the permissions of the one list baked in.
 */
import { engineFlags, permissionFlags, unstableFlags } from "../config/permissions.ts";
import { StellaError } from "../domain/errors.ts";
import { assertDeno, assertDenort } from "./denort.ts";
import { run } from "./run.ts";
import { type Script, setTime } from "./script.ts";
import { starts } from "./starts.ts";

/**
 * Never `-A`. Nothing is taken from a configuration or lock file, the script is all there is. No
 * code cache: it would be a file in the shared temporary directory that the program writes and
 * later runs.
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
  /**
   * One of denort.ts's `targets`; absent: this platform. DENORT_BIN, where it is set, has to be of
   * it.
   */
  target?: string;
  /** Takes the denort of another version of Deno, which may not fit: for tests. */
  allowOther?: boolean;
  /** Takes any file in the place of denort, to try the build: what it makes cannot be started. */
  standIn?: boolean;
}

export interface Compiled {
  path: string;
  /** The version of Deno that is in it; of a stand-in, which holds none, that of the builder. */
  deno: string;
}

/**
 * Compiles a script of buildScript into `directory`/stella, or `directory`/TARGET/stella, with
 * `.exe` for Windows. What was made on a stand-in goes below `directory`/stand-in: a stub never
 * lies where the real one is expected.
 * @throws StellaError usage where denort cannot be had or is not this Deno's, internal where the
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
    await copyWithTime(script, `${partial}/stella.js`);
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

/**
 * @returns the version of Deno in the file; one for another platform cannot be started here, only
 * read
 */
async function assertReal(made: string, options: CompileOptions): Promise<string> {
  const { target = Deno.build.target, allowOther = false } = options;
  const deno = assertDeno(await Deno.readFile(made), allowOther);
  if (target !== Deno.build.target || await starts(made)) return deno;
  const { code, stderr } = await run(made, ["version"], { clearEnv: true, limit: 30_000 });
  throw new StellaError("internal", `Cannot start what was compiled (code ${code}): ${stderr}`);
}

async function copyWithTime(script: Script, to: string): Promise<void> {
  await Deno.copyFile(script.path, to);
  await setTime(to, script.stamp);
}

/**
 * The compiler adds `.exe` by itself where the platform wants it: the file's name is the only one
 * in `out`.
 */
async function compileIn(cwd: string, options: string[]): Promise<void> {
  await Deno.mkdir(`${cwd}/out`);
  const args = ["compile", ...options, ...compileFlags(), "--output", "out/stella", "stella.js"];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd, limit: 600_000 });
  if (code === 0) return;
  throw new StellaError("internal", `Cannot compile: ${stderr.trim()}`);
}

/** `deno task build`: dist/stella by `deno compile`, with the permissions of the one list baked in. */
import { dirname } from "node:path";
import { engineFlags, permissionFlags, unstableFlags } from "../config/permissions.ts";
import { StellaError } from "../errors.ts";
import { assertDenort } from "./denort.ts";
import { run } from "./run.ts";
import { type Script, setTime } from "./script.ts";
import { starts } from "./starts.ts";

/**
 * Never `-A`. Nothing is taken from a configuration or lock file, the script is all there is. No code cache: it would be
 * a file in the shared temporary directory that the program writes and later runs.
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

export interface Compiled {
  path: string;
  /** Whether what was built starts as stella: false where DENORT_BIN was something else, for trying the build. */
  real: boolean;
}

/**
 * Compiles a script of buildScript into `directory`/stella. What does not start as stella, because DENORT_BIN was not
 * Deno's, goes to `directory`/stand-in/stella: a stub never lies where the real one is expected.
 * @throws StellaError usage where denort cannot be had, internal where the compiler fails
 */
export async function compile(script: Script, directory: string): Promise<Compiled> {
  await assertDenort();
  return await compileBeside(script, directory, [], async (made) => {
    const real = await starts(made);
    const target = real ? directory : `${directory}/stand-in`;
    return { path: `${target}/stella`, real };
  });
}

/**
 * Compiles for another platform into `directory`/TARGET/stella, with `.exe` for Windows. It cannot be started here.
 * @param target one of denort.ts's `targets`
 * @throws StellaError as `compile`
 */
export async function compileFor(
  script: Script,
  directory: string,
  target: string,
): Promise<string> {
  await assertDenort(target);
  const name = target.includes("windows") ? "stella.exe" : "stella";
  const place = { path: `${directory}/${target}/${name}`, real: false };
  await compileBeside(script, directory, ["--target", target], () => Promise.resolve(place));
  return place.path;
}

async function compileBeside(
  script: Script,
  directory: string,
  options: string[],
  placeOf: (made: string) => Promise<Compiled>,
): Promise<Compiled> {
  const partial = await Deno.makeTempDir({ dir: directory, prefix: ".compile-" });
  try {
    await copyWithTime(script, `${partial}/stella.js`);
    await compileIn(partial, options);
    const made = `${partial}/out/${[...Deno.readDirSync(`${partial}/out`)][0]?.name}`;
    const place = await placeOf(made);
    await Deno.mkdir(dirname(place.path), { recursive: true });
    await setTime(made, script.stamp);
    await Deno.rename(made, place.path);
    return place;
  } finally {
    await Deno.remove(partial, { recursive: true });
  }
}

async function copyWithTime(script: Script, to: string): Promise<void> {
  await Deno.copyFile(script.path, to);
  await setTime(to, script.stamp);
}

/** The compiler adds `.exe` by itself where the platform wants it: the file's name is the only one in `out`. */
async function compileIn(cwd: string, options: string[]): Promise<void> {
  await Deno.mkdir(`${cwd}/out`);
  const args = ["compile", ...options, ...compileFlags(), "--output", "out/stella", "stella.js"];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd, limit: 600_000 });
  if (code === 0) return;
  throw new StellaError("internal", `Cannot compile: ${stderr.trim()}`);
}

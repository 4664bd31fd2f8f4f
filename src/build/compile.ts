/** `deno task build`: dist/stella by `deno compile`, with the permissions of the one list baked in. */
import { permissionFlags } from "../config/permissions.ts";
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
    "--unstable-worker-options",
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
  const partial = await Deno.makeTempDir({ dir: directory, prefix: ".compile-" });
  try {
    await copyWithTime(script, `${partial}/stella.js`);
    await compileIn(partial);
    const real = await starts(`${partial}/stella`);
    const target = real ? directory : `${directory}/stand-in`;
    await Deno.mkdir(target, { recursive: true });
    await setTime(`${partial}/stella`, script.stamp);
    await Deno.rename(`${partial}/stella`, `${target}/stella`);
    return { path: `${target}/stella`, real };
  } finally {
    await Deno.remove(partial, { recursive: true });
  }
}

async function copyWithTime(script: Script, to: string): Promise<void> {
  await Deno.copyFile(script.path, to);
  await setTime(to, script.stamp);
}

async function compileIn(cwd: string): Promise<void> {
  const args = ["compile", ...compileFlags(), "--output", "stella", "stella.js"];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd, limit: 600_000 });
  if (code === 0) return;
  throw new StellaError("internal", `Cannot compile: ${stderr.trim()}`);
}

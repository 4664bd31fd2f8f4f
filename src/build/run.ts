/** Runs other programs for the build, and what was built. */
import { StellaError } from "../domain/errors.ts";
import { version } from "../domain/version.ts";

export interface CommandResult {
  /** The exit code; 127 if the program does not exist. */
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program and returns its output. It gets the environment of the build, with Deno's
 * telemetry off.
 * @param limit timeout in milliseconds; absent: none
 */
export async function run(
  program: string,
  args: string[],
  options: { cwd?: string; limit?: number; env?: Record<string, string>; clearEnv?: boolean } = {},
): Promise<CommandResult> {
  const { limit, env = {}, ...rest } = options;
  const signal = limit === undefined ? {} : { signal: AbortSignal.timeout(limit) };
  try {
    const command = new Deno.Command(program, {
      args,
      ...rest,
      ...signal,
      env: { ...env, OTEL_DENO: "false", NO_COLOR: "1" },
      stdin: "null",
    });
    const { code, stdout, stderr } = await command.output();
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return { code: 127, stdout: "", stderr: "" };
    throw cause;
  }
}

/**
 * With an empty environment the file must print this version for `version` within 30 s.
 * @throws StellaError defect
 */
export async function assertStarts(path: string): Promise<void> {
  const { code, stdout, stderr } = await run(path, ["version"], { clearEnv: true, limit: 30_000 });
  if (code === 0 && stdout.includes(version)) return;
  const found = `exit code ${code}: ${stderr.trim()}`;
  throw new StellaError("build_failed", `Cannot start what was built: ${found}`);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Other programs, started by the build. */

export interface Outcome {
  /** The exit code; 127 where there is no such program. */
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end and gives what it said. It sees the environment of the build, with Deno's own telemetry off.
 * @param limit milliseconds after which it is killed; absent: none
 */
export async function run(
  program: string,
  args: string[],
  options: { cwd?: string; limit?: number; env?: Record<string, string>; clearEnv?: boolean } = {},
): Promise<Outcome> {
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

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

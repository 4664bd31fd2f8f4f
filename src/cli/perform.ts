/** One command's work, and the one place where results and errors are written. */
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { asStellaError, errorJson, errorText } from "./render.ts";
import { spare } from "./spare.ts";

export type Work = (options: never, host: Host, args: string[]) => Promise<Result>;

/**
 * Loads and does the work of the command called `name` and says how it went: text on stdout, errors on stderr, or with
 * `json` one object on stdout. @returns the exit code; nothing is thrown
 */
export async function perform(
  name: string,
  options: CommonOptions,
  host: Host,
  args: string[],
  load: () => Promise<Work>,
): Promise<number> {
  try {
    if (host.permissions !== undefined) spare(name, host.permissions);
    const result = await (await load())(options as never, host, args);
    if (options.json) {
      host.stdout(JSON.stringify({ command: name, ...result.json as object }) + "\n");
    } else if (!options.quiet || result.code !== 0) host.stdout(result.text);
    return result.code;
  } catch (thrown) {
    const error = asStellaError(thrown);
    if (options.json) host.stdout(JSON.stringify(errorJson(name, error)) + "\n");
    else host.stderr(errorText(error));
    return error.exitCode;
  }
}

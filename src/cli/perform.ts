/** One command's work, and the one place where results and errors are written. */
import { StellaError } from "../domain/errors.ts";
import { printableJson } from "../domain/names.ts";
import { build } from "../domain/version.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { asStellaError, errorJson, errorText } from "./render.ts";
import type { RunFileOptions, RunFiles } from "./run_files.ts";
import { granted, spare } from "./spare.ts";

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
  let files: RunFiles | undefined;
  build(); // It is remembered: the form is told by a variable, which the command may give up.
  try {
    const isQuestion = options.permissions === true;
    if (!isQuestion) files = await runFiles(name, options as RunFileOptions, host);
    if (host.permissions !== undefined) {
      await spare(name, { options: options as Record<string, unknown>, args }, host.permissions);
    }
    const work = isQuestion ? permissionsWork : await load();
    const result = await work(options as never, host, args);
    files?.end(result.code, result.json);
    const isShown = options.json === true || options.quiet !== true || result.code !== 0;
    return isShown ? show(textOf(name, options, result), host, result.code) : result.code;
  } catch (thrown) {
    const error = asStellaError(thrown);
    endFailed(files, name, error);
    const { exitCode } = error;
    if (options.json) {
      return show(printableJson(errorJson(name, error)) + "\n", host, exitCode, errorText(error));
    }
    host.stderr(errorText(error));
    return exitCode;
  }
}

function textOf(name: string, options: CommonOptions, { json, text }: Result): string {
  return options.json ? printableJson({ command: name, ...json as object }) + "\n" : text;
}

/**
 * Writes what came out. Where that fails, `instead` and the reason go to stderr.
 * @returns the exit code
 */
function show(text: string, host: Host, code: number, instead = ""): number {
  try {
    host.stdout(text);
    return code;
  } catch (thrown) {
    const { code: kind, message, hint, cause } = asStellaError(thrown);
    const ended = `the command itself ended with code ${code}`;
    const error = new StellaError(kind, message, { cause, hint: `${hint}; ${ended}` });
    host.stderr(instead + errorText(error));
    return error.exitCode;
  }
}

/** In place of a command's work, at the moment when that would begin: whoever wants to know asks the very program. */
const permissionsWork: Work = (_, host) => {
  const permissions = granted(host.permissions ?? Deno.permissions);
  const text = permissions.map((one) => `${one}\n`).join("");
  return Promise.resolve({ code: 0, json: { ok: true, code: 0, permissions }, text });
};

/** Opened before anything is given up; most runs ask for none and load nothing for it. */
async function runFiles(name: string, options: RunFileOptions, host: Host) {
  if (options.metricsTextfile === undefined && options.report === undefined) return undefined;
  return (await import("./run_files.ts")).openRunFiles(name, options, host);
}

/** The error that ended the run is the one to tell, whatever becomes of the files. */
function endFailed(files: RunFiles | undefined, name: string, error: StellaError): void {
  try {
    files?.end(error.exitCode, errorJson(name, error));
  } catch { /* the run has failed already */ }
}

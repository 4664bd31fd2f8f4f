/** Runs one command line: finds the command, parses its options, runs it, and prints its result. */
import { printableJson, shown } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { build } from "../domain/version.ts";
import type { Command, Result, Typed, Value } from "./command.ts";
import { entries, type Entry, loadSubjects } from "./commands.ts";
import { checkedOutput, type Host, type Paint } from "./host.ts";
import { type Fault, nearest, parse } from "./parse.ts";
import { dropPermissions, granted } from "./permissions.ts";
import { asStellaError, errorJson, errorText, painter } from "./render.ts";
import type { RunFiles } from "./run_files.ts";

interface Output {
  readonly host: Host;
  /** Of the command, as it was typed. */
  readonly name: string;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly paint: Paint;
}

/** Runs `args`. @returns the exit code; nothing below ends the process */
export async function start(args: readonly string[], lent: Host): Promise<number> {
  const host = { ...lent, stdout: checkedOutput(lent.stdout) };
  build(); // Cached now: it reads a variable that the command may no longer read later.
  const paint = painter("auto", "stderr", host);
  let output: Output = { host, name: "", isJson: args.includes("--json"), isQuiet: false, paint };
  try {
    if (args[0] === "__complete") return await showCompletions(args.slice(1), output);
    const found = findCommand(args);
    if ("group" in found) return await showOverview(found, output);
    output = { ...output, name: found.name };
    const { command } = await found.entry.load();
    const { typed, faults, isHelp } = parse(command, found.words);
    if (isHelp) {
      const { showHelpOf } = await import("./help.ts");
      return write(showHelpOf(command, found.name), output);
    }
    refuseFaults(found.name, faults);
    return await perform(command, typed, outputFor(typed, output));
  } catch (thrown) {
    return fail(asStellaError(thrown), output);
  }
}

function outputFor({ options }: Typed, output: Output): Output {
  const { host } = output;
  const color = textOf(options["color"]) ?? "auto";
  return {
    ...output,
    host: { ...host, paint: painter(color, "stdout", host) },
    isQuiet: options["quiet"] === true,
    paint: painter(color, "stderr", host),
  };
}

/** Drops what the command does not need, runs it, and prints the result. */
async function perform(command: Command, typed: Typed, output: Output): Promise<number> {
  const { host, name } = output;
  const isQuestion = typed.options["permissions"] === true;
  let files: RunFiles | undefined;
  try {
    const { permissions, run } = command.prepare(typed);
    if (!isQuestion) files = await openFiles(name, typed, host);
    if (permissions !== "unchanged") await dropPermissions(host, permissions);
    const result = isQuestion ? showPermissions(host) : await run(host);
    files?.end(result.code ?? 0, jsonOf(name, result));
    return write(result, output);
  } catch (thrown) {
    const error = asStellaError(thrown);
    endFailed(files, name, error);
    return fail(error, output);
  }
}

/** A command by one of its names, with the remaining words; or a group of commands. */
type Found =
  | { readonly entry: Entry; readonly name: string; readonly words: readonly string[] }
  | { readonly group: string; readonly isAsked: boolean };

/** @throws StellaError usage if the words are not a command */
function findCommand(args: readonly string[]): Found {
  if (args[0] === "--version" || args[0] === "-V") {
    return findCommand(["version", ...args.slice(1)]);
  }
  const end = args.findIndex((word) => word.startsWith("-"));
  const plain = end === -1 ? args : args.slice(0, end);
  for (let length = plain.length; length >= 0; length--) {
    const name = plain.slice(0, length).join(" ");
    const entry = entries.find(({ names }) => names.includes(name));
    const next = plain[length];
    if (entry !== undefined && next === undefined) {
      return { entry, name, words: args.slice(length) };
    }
    const longer = nextWords(name);
    if (next === "help" && length > 0 && longer.length > 0) {
      return findCommand(["help", ...plain.slice(0, length), ...args.slice(length + 1)]);
    }
    if (next !== undefined && longer.length > 0) throw unknownCommand(name, next, longer);
    if (entry !== undefined) return { entry, name, words: args.slice(length) };
    if (longer.length > 0) {
      const isAsked = args.includes("--help") || args.includes("-h");
      return { group: name, isAsked };
    }
  }
  throw unknownCommand("", plain[0] ?? "", []);
}

function nextWords(name: string): string[] {
  const start = name === "" ? "" : `${name} `;
  const longer = entries.flatMap(({ names }) => names).filter((one) => one.startsWith(start));
  return [...new Set(longer.map((one) => one.slice(start.length).split(" ")[0] ?? ""))];
}

function unknownCommand(name: string, word: string, words: readonly string[]): StellaError {
  const own = name === "" ? "stella" : `stella ${name}`;
  const near = nearest(word, words);
  const help = `stella help${name === "" ? "" : ` ${name}`}`;
  return new StellaError(
    "argument_invalid",
    `Cannot run ${shown(`${own} ${word}`)}: no such command`,
    {
      hint: near === undefined ? `run: ${help}` : `use: ${own} ${near}; or run: ${help}`,
    },
  );
}

function refuseFaults(name: string, faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const hints = [...new Set(faults.flatMap(({ hint }) => hint ?? []))];
  const what = `Cannot run "stella ${name}": ${faults.map(({ text }) => text).join("; ")}`;
  throw new StellaError("argument_invalid", what, {
    hint: [...hints, `run: stella ${name} --help`].join("; "),
  });
}

/** What there is, where a group was named: as the answer to a question, or beside a refusal. */
async function showOverview(
  { group, isAsked }: { group: string; isAsked: boolean },
  output: Output,
): Promise<number> {
  const { showOverviewOf } = await import("./help.ts");
  const overview = showOverviewOf(await loadSubjects(), group);
  if (isAsked) return write(overview, { ...output, name: group });
  const name = group === "" ? "stella" : `stella ${group}`;
  const error = new StellaError("argument_missing", `Cannot run "${name}": no command was named`);
  if (output.isJson) return fail(error, output);
  output.host.stderr(overview.text);
  return error.exitCode;
}

/** For the scripts of `stella completion`; no declared command, so that nothing shows it. */
async function showCompletions(words: readonly string[], output: Output): Promise<number> {
  await dropPermissions(output.host, []);
  const { completions } = await import("./completion.ts");
  const commands = (await loadSubjects()).flatMap((subject) => subject.commands);
  return write({ json: {}, text: completions(words, commands) }, { ...output, isJson: false });
}

/** Runs instead of the command, with the permissions it would have. */
function showPermissions(host: Host): Result {
  const permissions = granted(host.permissions);
  return { json: { permissions }, text: permissions.map((one) => `${one}\n`).join("") };
}

/** Opened before permissions are dropped; most runs need none of these modules. */
async function openFiles(name: string, { options }: Typed, host: Host) {
  const metricsTextfile = textOf(options["metricsTextfile"]);
  const report = textOf(options["report"]);
  if (metricsTextfile === undefined && report === undefined) return undefined;
  const [profile, manifest] = [textOf(options["profile"]), textOf(options["manifest"])];
  const { openRunFiles } = await import("./run_files.ts");
  return openRunFiles(name, { metricsTextfile, report, profile, manifest }, host);
}

function textOf(value: Value): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The error that ended the run is shown, even if writing the files fails too. */
function endFailed(files: RunFiles | undefined, name: string, error: StellaError): void {
  try {
    files?.end(error.exitCode, errorJson(name, error));
  } catch { /* the run has failed already */ }
}

function jsonOf(name: string, { json, code = 0 }: Result): object {
  return { command: name, ok: code === 0, code, ...json };
}

function write(result: Result, output: Output): number {
  const { code = 0, text } = result;
  if (output.isJson) return show(printableJson(jsonOf(output.name, result)) + "\n", output, code);
  return output.isQuiet && code === 0 ? code : show(text, output, code);
}

function fail(error: StellaError, output: Output): number {
  const { host, name, isJson, paint } = output;
  const text = errorText(error, paint);
  if (isJson) {
    return show(printableJson(errorJson(name, error)) + "\n", output, error.exitCode, text);
  }
  host.stderr(text);
  return error.exitCode;
}

/** If standard output fails, `instead` and the reason go to standard error. */
function show(text: string, { host, paint }: Output, code: number, instead = ""): number {
  try {
    host.stdout(text);
    return code;
  } catch (thrown) {
    const known = asStellaError(thrown);
    const hint = `${known.hint}; the command itself ended with code ${code}`;
    const error = known.reworded(known.message, { hint });
    host.stderr(instead + errorText(error, paint));
    return error.exitCode;
  }
}

/** Help, from the declarations of the commands. Lines are at most 80 columns wide. */
import { shown } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import {
  type Arguments,
  type Command,
  commonOptions,
  type Option,
  type Options,
  type Result,
} from "./command.ts";
import { argumentText, usageOf } from "./parse.ts";

export const about =
  "An Export Center in one binary: signed, reproducible bundles for sites behind an air gap";

export const exitCodesText = `Exit codes:
  0 ok   1 defect of stella   2 usage or configuration   3 manifest unreadable
  4 signature invalid   5 signer not trusted   6 file missing
  7 digest or size differs   8 unexpected content   9 unsafe path or entry
  10 truncated, or volume missing   11 rollback or fork
  12 input or output (space, medium, path)   13 registry, network or service
  14 conflict or busy, try again   15 refused by policy
  16 not found or too old   130 interrupted
`;

export interface Subject {
  readonly title: string;
  readonly commands: readonly Command[];
}

function shortest({ path, aliases }: Pick<Command, "path" | "aliases">): string {
  return [path, ...aliases].toSorted((a, b) => a.length - b.length)[0] ?? path;
}

/** @param words of a command's or a group's name; none: all commands */
export function showHelp(words: readonly string[], subjects: readonly Subject[]): Result {
  const name = words.join(" ");
  const command = subjects.flatMap((subject) => subject.commands)
    .find(({ path, aliases }) => [path, ...aliases].includes(name));
  if (command !== undefined) return showHelpOf(command, name);
  const overview = showOverviewOf(subjects, name);
  if (overview.json.commands.length > 0) return overview;
  throw new StellaError("not_found", `Cannot show help for ${shown(name)}: no such command`, {
    hint: "run: stella help",
  });
}

export function showHelpOf(command: Command, name: string): Result {
  return { json: { commands: [factsOf(command)] }, text: helpText(command, name) };
}

/** @param group first words of names, or "" */
export function showOverviewOf(subjects: readonly Subject[], group: string) {
  const commands = subjects.flatMap((subject) => subject.commands)
    .filter(({ path, aliases }) => [path, ...aliases].some((name) => isIn(group, name)));
  return { json: { commands: commands.map(factsOf) }, text: overviewText(subjects, group) };
}

function isIn(group: string, name: string): boolean {
  return group === "" || name.startsWith(`${group} `);
}

function factsOf({ path, aliases, summary, args, options, examples }: Command) {
  return { path, aliases, summary, args, options, examples };
}

function overviewText(subjects: readonly Subject[], group = ""): string {
  const lines = subjects.flatMap(({ title, commands }) => {
    const rows = commands.flatMap((one) => {
      const name = [shortest(one), one.path, ...one.aliases].find((name) => isIn(group, name));
      return name === undefined ? [] : [[usageLine(name, one), one.summary] as const];
    });
    return rows.length === 0 ? [] : ["", `${title}:`, ...table(rows)];
  });
  const name = group === "" ? "stella" : `stella ${group}`;
  const end = group !== "" ? [] : [
    "",
    ...wrapped(
      "Each command for bundles also has the name `stella export bundle COMMAND`. " +
        "Help for one: stella help COMMAND. Version: stella --version.",
      "",
    ),
  ];
  return [`Usage: ${name} COMMAND [options]`, "", ...wrapped(about, ""), ...lines, ...end, ""]
    .join("\n") + `\n${exitCodesText}`;
}

/** @param name by which it was called */
function helpText(command: Command, name: string): string {
  const { args, options, examples, summary, path, aliases } = command;
  const others = [path, ...aliases].filter((one) => one !== name);
  const sections = [
    `Usage: stella ${usageLine(name, command)} [options]`,
    "",
    ...wrapped(summary, ""),
    ...(others.length === 0 ? [] : ["", ...others.map((one) => `Also: stella ${one}`)]),
    ...section("Arguments", argumentRows(args)),
    ...section("Options", optionRows(options)),
    ...section("Common options", [...optionRows(commonOptions), ["-h, --help", "show this help"]]),
    "",
    "Examples:",
    ...examples.map((line) => `  ${line}`),
    "",
  ];
  return `${sections.join("\n")}\n${exitCodesText}`;
}

function usageLine(name: string, { args }: Pick<Command, "args">): string {
  const words = Object.entries(args).map(([name, one]) => argumentText(name, one));
  return [name, ...words].join(" ");
}

export function argumentRows(args: Arguments): Row[] {
  return Object.entries(args).map(([name, one]) => [argumentText(name, one), one.help]);
}

export function optionRows(options: Options): Row[] {
  return Object.entries(options).map(([name, option]) => [
    usageOf(name, option),
    option.help + detailsOf(option),
  ]);
}

function detailsOf(option: Option): string {
  if (option.kind === "flag") return "";
  const { choices, default: usual, required } = option;
  const details = [
    choices === undefined ? "" : `one of ${choices.join(", ")}`,
    usual === undefined ? "" : `default: ${usual}`,
    required ? "required" : "",
  ].filter((text) => text !== "");
  return details.length === 0 ? "" : ` (${details.join("; ")})`;
}

export type Row = readonly [left: string, right: string];

function section(title: string, rows: readonly Row[]): string[] {
  return rows.length === 0 ? [] : ["", `${title}:`, ...table(rows)];
}

const width = 80;
const widestLeft = 26;

/** Two columns; a left text that is too long has a line of its own. */
function table(rows: readonly Row[]): string[] {
  const left = Math.min(widestLeft, Math.max(...rows.map(([text]) => text.length)));
  return rows.flatMap(([text, help]) => {
    const indent = " ".repeat(left + 4);
    const lines = wrapped(help, indent);
    if (text.length > left) return [`  ${text}`, ...lines];
    const [first = "", ...more] = lines;
    return [`  ${text.padEnd(left)}  ${first.trimStart()}`, ...more];
  });
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    const next = line === indent ? indent + word : `${line} ${word}`;
    if (next.length > width && line !== indent) {
      lines.push(line);
      line = indent + word;
    } else line = next;
  }
  return [...lines, line];
}

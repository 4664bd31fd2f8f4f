/** Generates src/docs/commands.md from the declarations of the commands. */
import { type Command, commonOptions, type Options } from "../cli/command.ts";
import { argumentRows, exitCodesText, optionRows, type Row, type Subject } from "../cli/help.ts";
import { argumentText } from "../cli/parse.ts";

export function commandsPage(subjects: readonly Subject[]): string {
  const parts = [
    "# Commands",
    "This page is written from the declarations of the commands; `stella help COMMAND` prints the " +
    "same.",
    `All commands have these options:\n\n${optionTable(commonOptions)}`,
    `\`\`\`\n${exitCodesText}\`\`\``,
    ...subjects.flatMap(({ title, commands }) => [`## ${title}`, ...commands.flatMap(section)]),
  ];
  return parts.join("\n\n") + "\n";
}

function section({ path, aliases, summary, args, options, examples }: Command): string[] {
  const words = Object.entries(args).map(([name, one]) => argumentText(name, one));
  const usages = [path, ...aliases].map((name) => ["stella", name, ...words].join(" "));
  return [
    `### ${path}`,
    `${summary}.`,
    fenced(usages),
    ...words.length === 0 ? [] : [table(["argument", "meaning"], argumentRows(args))],
    ...Object.keys(options).length === 0 ? [] : [optionTable(options)],
    ...examples.length === 0 ? [] : [`Examples:\n\n${fenced(examples)}`],
  ];
}

function optionTable(options: Options): string {
  return table(["option", "meaning"], optionRows(options));
}

function fenced(lines: readonly string[]): string {
  return `\`\`\`sh\n${lines.join("\n")}\n\`\`\``;
}

function table([left, right]: Row, rows: readonly Row[]): string {
  const cells = rows.map(([name, help]): Row => [`\`${name}\``, help.replaceAll("|", "\\|")]);
  const all: readonly Row[] = [[left, right], ...cells];
  const widths = [0, 1].map((at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[], fill = " ") =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0, fill)).join(" | ")} |`;
  const [head, ...body] = all.map((row) => line(row));
  return [head, line(["", ""], "-"), ...body].join("\n");
}

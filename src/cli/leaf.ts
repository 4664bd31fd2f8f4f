/** Makes the commands that do work: common options, examples, exit codes, and the way to their work. */
import type { Command } from "commander";
import type { Host } from "./host.ts";
import { perform, type Work } from "./perform.ts";
import type { CommonOptions } from "./program.ts";

export const codesHelp = `
Exit codes:
  0 ok   1 internal   2 usage or configuration   3 manifest unreadable   4 signature invalid
  5 signer not trusted   6 file missing   7 digest or size differs   8 unexpected content
  9 unsafe path or entry   10 truncated, or volume missing   11 wrong base or rollback
  12 input or output (space, medium, path)   13 registry, network or service
  14 conflict or busy, try again   15 refused by policy   16 not found or too old   130 interrupted`;

export interface Leaf {
  (
    parent: Command,
    usage: string,
    about: string,
    examples: string[],
    work: () => Promise<Work>,
  ): Command;
}

/** Makes a command that does work, with the common options and its examples. */
export function leafMaker(host: Host, done: (code: number) => void): Leaf {
  return (parent, usage, about, examples, load) => {
    const command = parent.command(usage).description(about);
    const shown = examples.map((line) => `\n  ${line}`).join("");
    common(command).addHelpText("after", `\nExamples:${shown}\n${codesHelp}`);
    return command.action(async (...given: unknown[]) => {
      const options = command.opts<CommonOptions>();
      const name = pathOf(command);
      done(await perform(name, options, host, given.slice(0, -2).flat() as string[], load));
    });
  };
}

function common(command: Command): Command {
  return command
    .option("--config <file>", "configuration file")
    .option("--json", "print one result object on stdout")
    .option("--quiet", "print nothing but errors")
    .option("--permissions", "print the permissions this command runs with, and exit");
}

/** For commands that are run by hand or by a timer, where nobody can scrape them. */
export function runFileOptions(command: Command): Command {
  return command
    .option("--metrics-textfile <path>", "write metrics of the run, for node_exporter's textfiles")
    .option("--report <file>", "write the result with its times, as JSON");
}

function pathOf(command: Command): string {
  const names: string[] = [];
  for (let c: Command | null = command; c?.parent; c = c.parent) names.unshift(c.name());
  return names.join(" ");
}

export function group(parent: Command, name: string, about: string): Command {
  return parent.command(name).description(about).enablePositionalOptions();
}

export const many = (value: string, before: string[] | undefined) => [...(before ?? []), value];

/**
 * A command line that cannot be parsed: code 2, and with --json one object like any other error.
 */
import type { Command, CommanderError } from "commander";
import { exitCodes, StellaError } from "../domain/errors.ts";
import { printableJson } from "../domain/names.ts";
import type { Host } from "./host.ts";
import { errorJson } from "./render.ts";

/** What the parser could not take; it has told a person already. @returns the exit code */
export function misunderstood(
  { exitCode, message }: CommanderError,
  args: readonly string[],
  program: Command,
  host: Host,
): number {
  if (exitCode === 0) return exitCodes.ok;
  if (args.includes("--json")) {
    // The parser calls it so where it printed its help, because no command was named.
    const text = message === "(outputHelp)" ? "No command was named" : message;
    const error = new StellaError("usage", text.replace(/^error: /, ""));
    host.stdout(printableJson(errorJson(nameOf(args, program), error)) + "\n");
  }
  return exitCodes.usage;
}

/** The command that the words begin with. */
function nameOf(args: readonly string[], program: Command): string {
  const names: string[] = [];
  let at: Command | undefined = program;
  for (const word of args) {
    at = at?.commands.find((one) => one.name() === word);
    if (at === undefined) break;
    names.push(word);
  }
  return names.join(" ");
}

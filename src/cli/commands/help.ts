import { type Command, defineCommand } from "../command.ts";
import type { Subject } from "../help.ts";

/** @param load returns all commands */
export function helpCommand(load: () => Promise<readonly Subject[]>): Command {
  return defineCommand({
    path: "help",
    summary: "List all commands, or show the help of one",
    args: { command: { help: "name of the command", optional: true, repeat: true } },
    permissions: [],
    examples: ["stella help", "stella help export bundle verify"],
    run: async ({ args }) => (await import("../help.ts")).showHelp(args.command, await load()),
  });
}

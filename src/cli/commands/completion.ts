import { type Command, defineCommand } from "../command.ts";
import type { Subject } from "../help.ts";

/** @param load returns all commands */
export function completionCommand(load: () => Promise<readonly Subject[]>): Command {
  return defineCommand({
    path: "completion",
    summary: "Print the completion script of a shell",
    args: { shell: { help: "bash, zsh or fish", choices: ["bash", "zsh", "fish"] } },
    options: {},
    permissions: [],
    examples: [
      "source <(stella completion bash)",
      "stella completion zsh > ~/.zsh/completions/_stella",
      "stella completion fish > ~/.config/fish/completions/stella.fish",
    ],
    async run({ args }) {
      const { completionScript } = await import("../completion.ts");
      const commands = (await load()).flatMap((subject) => subject.commands);
      const script = completionScript(args.shell, commands);
      return { json: { shell: args.shell, script }, text: script };
    },
  });
}

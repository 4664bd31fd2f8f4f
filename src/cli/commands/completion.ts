import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "completion",
  summary: "Print the completion script for a shell",
  args: { shell: { help: "bash, zsh or fish", choices: ["bash", "zsh", "fish"] } },
  permissions: [],
  examples: [
    "source <(stella completion bash)",
    "stella completion zsh > ~/.zsh/completions/_stella",
    "stella completion fish > ~/.config/fish/completions/stella.fish",
  ],
  async run({ args: { shell } }) {
    const { completionScripts } = await import("../completion.ts");
    const script = completionScripts[shell];
    return { json: { shell, script }, text: script };
  },
});

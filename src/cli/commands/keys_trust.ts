import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "keys trust",
  summary: "Trust a public key on this machine",
  args: { file: { help: "public key, PEM" } },
  permissions: ["write", "env"],
  examples: ["stella keys trust signer.pub"],
  run: async ({ args }, host) => (await import("../keys.ts")).trustKey(args.file, host),
});

import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "config show",
  summary: "Show the effective configuration, with all defaults",
  permissions: ["env"],
  examples: ["stella config show", "stella config show --config /etc/stella/stella.yaml --json"],
  run: async ({ options }, host) => (await import("../config.ts")).showConfig(options, host),
});

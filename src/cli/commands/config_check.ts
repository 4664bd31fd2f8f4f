import { defineCommand, text } from "../command.ts";

export const command = defineCommand({
  path: "config check",
  summary: "Check the configuration and show which hosts it can reach",
  options: {
    destination: text("host:port", "show whether connections to this destination are allowed"),
  },
  permissions: ["env"],
  examples: ["stella config check", "stella config check --config /etc/stella/stella.yaml --json"],
  run: async ({ options }, host) => (await import("../config.ts")).checkConfig(options, host),
});

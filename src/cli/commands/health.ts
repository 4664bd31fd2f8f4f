import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "health",
  summary: "Check whether a running service is ready: exit code 0, else 13",
  options: serviceOptions,
  permissions: ["net", "env"],
  examples: ["stella health"],
  run: async ({ options }, host) => (await import("../status.ts")).showHealth(options, host),
});

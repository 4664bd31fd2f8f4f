import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "health",
  summary: "Readiness of a running service, by exit code: 0 ready, 13 not",
  args: {},
  options: serviceOptions,
  permissions: ["net", "env"],
  examples: ["stella health"],
  run: async ({ options }, host) => (await import("../status.ts")).showHealth(options, host),
});

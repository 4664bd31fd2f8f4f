import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "assets list",
  summary: "List the files in the binary: dashboards, rules, runbook, units",
  permissions: [],
  examples: ["stella assets list"],
  run: async () => (await import("../assets.ts")).listAssets(),
});

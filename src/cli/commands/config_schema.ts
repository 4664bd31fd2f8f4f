import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "config schema",
  summary: "Print the JSON Schema of stella.yaml",
  permissions: [],
  examples: ["stella config schema > stella.schema.json"],
  run: async () => (await import("../config.ts")).showSchema(),
});

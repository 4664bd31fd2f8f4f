import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "config schema",
  summary: "Print what stella.yaml may say, as a JSON Schema",
  args: {},
  options: {},
  permissions: [],
  examples: ["stella config schema > stella.schema.json"],
  run: async () => (await import("../config.ts")).showSchema(),
});

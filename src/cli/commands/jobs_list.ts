import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs list",
  summary: "List exports, newest first",
  args: {},
  options: {
    state: {
      kind: "text",
      help: "only exports in this state",
      value: "state",
      choices: ["queued", "running", "succeeded", "failed", "cancelled"],
    },
    profile: { kind: "text", help: "only of this profile", value: "name" },
    tenant: { kind: "text", help: "only of this tenant", value: "name" },
    cursor: { kind: "text", help: "only exports that came before this one", value: "id" },
    limit: { kind: "text", help: "at most so many, up to 500", value: "count", default: "50" },
    ...serviceOptions,
  },
  permissions: ["net", "env"],
  examples: ["stella jobs list", "stella jobs list --state failed --json"],
  run: async ({ options }, host) => (await import("../jobs.ts")).listJobs(options, host),
});

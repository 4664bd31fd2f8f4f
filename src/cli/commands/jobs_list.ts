import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs list",
  summary: "List exports, newest first",
  args: {},
  options: {
    state: {
      kind: "text",
      help: "list only exports in this state",
      value: "state",
      choices: ["queued", "running", "succeeded", "failed", "cancelled"],
    },
    profile: { kind: "text", help: "list only exports of this profile", value: "name" },
    tenant: { kind: "text", help: "list only exports of this tenant", value: "name" },
    cursor: { kind: "text", help: "list only exports older than this one", value: "id" },
    limit: {
      kind: "text",
      help: "list at most this many exports, up to 500",
      value: "count",
      default: "50",
    },
    ...serviceOptions,
  },
  permissions: ["net", "env"],
  examples: ["stella jobs list", "stella jobs list --state failed --json"],
  run: async ({ options }, host) => (await import("../jobs.ts")).listJobs(options, host),
});

import { defineCommand, text } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs list",
  summary: "List exports, newest first",
  options: {
    state: text("state", "list only exports in this state", {
      choices: ["queued", "running", "succeeded", "failed", "cancelled"],
    }),
    profile: text("name", "list only exports of this profile"),
    tenant: text("name", "list only exports of this tenant"),
    cursor: text("id", "list only exports older than this one"),
    limit: text("count", "list at most this many exports, up to 500", { default: "50" }),
    ...serviceOptions,
  },
  permissions: ["net", "env"],
  examples: ["stella jobs list", "stella jobs list --state failed --json"],
  run: async ({ options }, host) => (await import("../jobs.ts")).listJobs(options, host),
});

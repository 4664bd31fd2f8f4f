import { defineCommand, text } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs purge",
  summary: "Remove finished exports and their bundles",
  args: { ids: { help: "ids of exports", optional: true, repeat: true } },
  options: {
    state: text("state", "remove only exports in this state", {
      choices: ["succeeded", "failed", "cancelled"],
    }),
    profile: text("name", "remove only exports of this profile"),
    tenant: text("name", "remove only exports of this tenant"),
    ...serviceOptions,
  },
  permissions: ["net", "env"],
  examples: [
    "stella jobs purge 019b76da-a800-7000-8000-000000000000",
    "stella jobs purge --state failed",
  ],
  run: async ({ args, options }, host) =>
    (await import("../jobs.ts")).purgeJobs(args.ids, options, host),
});

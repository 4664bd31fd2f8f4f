import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs retry",
  summary: "Queue failed or cancelled exports again",
  args: { ids: { help: "ids of exports", repeat: true } },
  options: serviceOptions,
  permissions: ["net", "env"],
  examples: ["stella jobs retry 019b76da-a800-7000-8000-000000000000"],
  run: async ({ args, options }, host) =>
    (await import("../jobs.ts")).retryJobs(args.ids, options, host),
});

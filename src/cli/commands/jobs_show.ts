import { defineCommand } from "../command.ts";
import { serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "jobs show",
  summary: "Show one export: requester, times, result",
  args: { id: { help: "id of the export" } },
  options: serviceOptions,
  permissions: ["net", "env"],
  examples: ["stella jobs show 019b76da-a800-7000-8000-000000000000"],
  run: async ({ args, options }, host) =>
    (await import("../jobs.ts")).showJob(args.id, options, host),
});

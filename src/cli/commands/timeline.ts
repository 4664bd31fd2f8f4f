import { defineCommand } from "../command.ts";
import { timelineOptions } from "../timeline_options.ts";

export const command = defineCommand({
  path: "timeline",
  summary: "Show the event history of exports, or of one",
  args: { export: { help: "id of the export", optional: true, or: "export" } },
  options: timelineOptions,
  permissions: ["net", "env"],
  examples: [
    "stella timeline",
    "stella timeline --newest --follow",
    "stella timeline --tenant lab --newest --json",
  ],
  run: async ({ args, options }, host) =>
    (await import("../timeline.ts")).showTimeline(args.export, options, host),
});

import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "docs",
  summary: "Print a page of the manual, or list its pages",
  args: { page: { help: "name of a page", optional: true } },
  permissions: [],
  examples: ["stella docs", "stella docs verification | less"],
  run: async ({ args }) => (await import("../docs.ts")).showPage(args.page),
});

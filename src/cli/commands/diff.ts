import { defineCommand } from "../command.ts";
import { isRegistry, manifestOption, placeArgument, registryOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle diff",
  aliases: ["diff"],
  summary: "Compare two bundles, by manifest field and by file; exit code 0 either way",
  args: {
    place: placeArgument,
    other: { help: "bundle to compare with, in any of the same forms" },
  },
  options: { ...manifestOption, ...registryOptions },
  permissions: ({ args }) => [args.place, args.other].some(isRegistry) ? ["net", "env"] : [],
  examples: ["stella diff yesterday today", "stella diff yesterday today --json | jq .same"],
  run: async ({ args, options }, host) =>
    (await import("../diff.ts")).diffBundles(args.place, args.other, options, host),
});

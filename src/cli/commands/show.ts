import { defineCommand } from "../command.ts";
import { placeArgument, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle show",
  aliases: ["show"],
  summary: "Verify a bundle and show its details",
  args: { place: placeArgument },
  options: verifyOptions,
  permissions: ({ args }) => verifierNeeds(args.place),
  examples: ["stella show out"],
  run: async ({ args, options }, host) =>
    (await import("../list.ts")).showBundle(args.place, options, host),
});

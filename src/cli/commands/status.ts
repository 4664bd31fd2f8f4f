import { defineCommand } from "../command.ts";
import { manifestOption, placeArgument, registryOptions, serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "status",
  summary: "Show a running service; compare its build with a bundle's manifest",
  args: { place: { ...placeArgument, optional: true } },
  options: { ...manifestOption, ...registryOptions, ...serviceOptions },
  permissions: ["net", "env"],
  examples: ["stella status", "stella status out"],
  run: async ({ args, options }, host) =>
    (await import("../status.ts")).showStatus(args.place, options, host),
});

import { defineCommand } from "../command.ts";
import { placeArgument, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle list",
  aliases: ["list"],
  summary:
    "List what a bundle holds, and what is wrong with it; without a place, all stored bundles",
  args: { place: { ...placeArgument, optional: true } },
  options: verifyOptions,
  permissions: ({ args }) => verifierNeeds(args.place),
  examples: ["stella list out", "stella list"],
  async run({ args, options }, host) {
    const { listBundle, listStore } = await import("../list.ts");
    return args.place === undefined
      ? await listStore(host)
      : await listBundle(args.place, options, host);
  },
});

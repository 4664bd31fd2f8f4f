import { defineCommand } from "../command.ts";
import { placeArgument, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle list",
  aliases: ["list"],
  summary: "Verify a bundle and list its files; without a place, list all stored bundles",
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

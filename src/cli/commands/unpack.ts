import { defineCommand, text } from "../command.ts";
import { placeArgument, sequenceOptions, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle unpack",
  aliases: ["unpack"],
  summary: "Verify a bundle and unpack its payload, all or nothing",
  args: { place: placeArgument },
  options: {
    ...verifyOptions,
    ...sequenceOptions,
    to: text("dir", "new or empty directory; files appear there only after verification", {
      required: true,
    }),
  },
  permissions: ({ args }) => ["write", ...verifierNeeds(args.place)],
  examples: [
    "stella unpack out --to payload",
    "stella unpack /media/a --volumes /media/b --to payload",
  ],
  run: async ({ args, options }, host) =>
    (await import("../unpack.ts")).unpackBundle(args.place, options, host),
});

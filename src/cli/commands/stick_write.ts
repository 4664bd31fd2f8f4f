import { defineCommand, flag, text } from "../command.ts";
import { placeArgument, sequenceOptions, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "stick write",
  summary: "Verify a bundle, write it to a stick, and read it back from there",
  args: {
    place: placeArgument,
    stick: { help: "directory where the stick is mounted" },
  },
  options: {
    name: text("name", "directory of the bundle on the stick (default: the bundle's profile)"),
    includeSelf: flag("also put this stella binary on the stick (97 MB)"),
    includeBinary: text("path", "also put a stella binary for another platform there; repeatable", {
      repeat: true,
    }),
    force: flag("overwrite other bundles and programs of the same names"),
    ...verifyOptions,
    ...sequenceOptions,
  },
  permissions: ({ args }) => ["write", ...verifierNeeds(args.place)],
  examples: [
    "stella stick write out /media/stick --include-self",
    "stella stick write out /media/stick --include-binary build/stella.exe",
    "stella stick write oci://registry.site:5000/exports/kit:latest /media/stick",
  ],
  run: async ({ args, options }, host) =>
    (await import("../stick_write.ts")).writeStick(args.place, args.stick, options, host),
});

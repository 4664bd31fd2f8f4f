import { defineCommand, everyPermission, flag, text } from "../command.ts";
import {
  registryOptions,
  runFileOptions,
  sequenceOptions,
  tokenOptions,
  trustOptions,
} from "../options.ts";

export const command = defineCommand({
  path: "export bundle pull",
  aliases: ["pull"],
  summary: "Pull a bundle and verify it during the transfer",
  args: { reference: { help: "oci://HOST/REPOSITORY:TAG, or https://SERVICE/v1/exports/ID" } },
  options: {
    to: text("dir", "target directory; files appear there only after verification", {
      required: true,
    }),
    force: flag("overwrite existing files in the target directory"),
    ...trustOptions,
    ...sequenceOptions,
    ...registryOptions,
    ...tokenOptions,
    ...runFileOptions,
  },
  permissions: everyPermission,
  examples: [
    "stella pull oci://registry.site:5000/exports/kit:latest --to in",
    "stella pull https://stella.site:8420/v1/exports/ID --to in",
  ],
  run: async ({ args, options }, host) =>
    (await import("../pull.ts")).pullBundle(args.reference, options, host),
});

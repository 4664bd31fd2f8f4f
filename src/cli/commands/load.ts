import { defineCommand, everyPermission, flag, text } from "../command.ts";
import { placeArgument, receiptOptions, sequenceOptions, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "export bundle load",
  aliases: ["load"],
  summary: "Load the images of a bundle into a registry, without unpacking it",
  args: { place: placeArgument },
  options: {
    ...verifyOptions,
    ...sequenceOptions,
    ...receiptOptions,
    to: text("registry", "oci://HOST[:PORT]/PREFIX; images go to PREFIX/HOST/REPOSITORY", {
      required: true,
    }),
    map: text("from=to", "put what is below HOST/REPOSITORY elsewhere below PREFIX; repeatable", {
      repeat: true,
    }),
    flatten: flag("join the parts of a repository by -, for registries without nested names"),
    only: text("glob", "load only the images whose names match; repeatable", { repeat: true }),
    dryRun: flag("show what would be sent, and send nothing"),
    partial: flag("tag the images that are complete even if others are not"),
    recheck: flag("look for the layers of images that the registry has, and send missing ones"),
    configs: text(
      "dir",
      "write files that make containerd, podman, k3s, OpenShift and trivy use it",
    ),
  },
  permissions: everyPermission,
  examples: [
    "stella load /media/stick --to oci://registry.site:5000/mirror",
    "stella load /media/stick --to oci://registry.site --map docker.io/library=base",
  ],
  run: async ({ args, options }, host) =>
    (await import("../load.ts")).loadBundle(args.place, options, host),
});

import { defineCommand, everyPermission } from "../command.ts";
import {
  manifestOption,
  mountOption,
  placeArgument,
  registryOptions,
  runFileOptions,
  sequenceOptions,
  trustOptions,
} from "../options.ts";

export const command = defineCommand({
  path: "export bundle push",
  aliases: ["push"],
  summary: "Push a finished bundle to an OCI registry",
  args: { place: placeArgument, reference: { help: "destination: oci://HOST/REPOSITORY:TAG" } },
  options: {
    ...manifestOption,
    ...mountOption,
    ...trustOptions,
    ...sequenceOptions,
    ...registryOptions,
    ...runFileOptions,
  },
  permissions: everyPermission,
  examples: ["stella push out oci://registry.site:5000/exports/kit:latest"],
  run: async ({ args, options }, host) =>
    (await import("../push.ts")).pushBundleFrom(args.place, args.reference, options, host),
});

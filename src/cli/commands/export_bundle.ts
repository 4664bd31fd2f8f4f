import { defineCommand, everyPermission } from "../command.ts";
import { exportOptions } from "../export_options.ts";

export const command = defineCommand({
  path: "export bundle",
  summary: "Export a profile as a signed bundle",
  options: exportOptions,
  permissions: ({ options }) =>
    options.server === undefined || options.manifest !== undefined
      ? everyPermission
      : ["net", "env"],
  examples: [
    "stella export bundle --profile kit --manifest out/manifest.json",
    "stella export bundle --profile advisories --input osv=/srv/osv",
    "stella export bundle --profile kit --server https://stella.site:8420",
  ],
  run: async ({ options }, host) =>
    options.server === undefined
      ? await (await import("../export_bundle.ts")).exportLocally(options, host)
      : await (await import("../submit_export.ts")).submitExport(options, host),
});

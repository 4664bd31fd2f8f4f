/** Commands for bundles that were carried somewhere: unpack, pull and compare them. */
import type { Command } from "commander";
import { collectEntropy } from "../registry/entropy.ts";
import { verifyOptions, volumesOption } from "./bundle_options.ts";
import type { Leaf } from "./leaf.ts";
import { insecureHttp, tokenFile } from "./service_options.ts";

export function carryCommands(bundle: Command, leaf: Leaf): void {
  const unpack = leaf(bundle, "unpack", "Verify a bundle and unpack its payload, all or nothing", [
    "stella export bundle unpack --manifest out/manifest.json --to payload",
    "stella export bundle unpack --manifest /media/a --volumes /media/b --to payload",
  ], async () => (await import("./unpack.ts")).unpackCommand)
    .requiredOption(
      "--manifest <path>",
      "manifest.json, the directory that holds it, or - (a pipe)",
    )
    .requiredOption(
      "--to <dir>",
      "new or empty directory; files appear there only after verification",
    );
  verifyOptions(volumesOption(unpack));
  pullCommand(bundle, leaf);
  leaf(bundle, "diff <a> <b>", diffAbout, [
    "stella export bundle diff yesterday/manifest.json today/manifest.json",
    "stella export bundle diff yesterday today --json | jq .same",
  ], async () => (await import("./diff.ts")).diffCommand);
}

/** Under `export bundle`, and by itself. */
export function pullCommand(parent: Command, leaf: Leaf): void {
  const own = parent.name() === "bundle" ? "stella export bundle pull" : "stella pull";
  const command = leaf(parent, "pull <ref>", "Pull a bundle and verify it while it is written", [
    `${own} oci://registry.site:5000/exports/kit:latest --to in`,
    `${own} https://stella.site:8420/v1/exports/ID --to in --token-file ci.token`,
  ], async () => {
    collectEntropy();
    return (await import("./pull_bundle.ts")).pullBundleCommand;
  });
  verifyOptions(command)
    .requiredOption("--to <dir>", "target directory; files appear there only after verification")
    .option("--force", "overwrite existing files in the target directory")
    .option(...tokenFile).option(...insecureHttp);
}

const diffAbout =
  "What differs between two bundles, by manifest field and by file; exit code 0 either way";

/** Commands and options for bundles that were carried somewhere: unpack and compare them, receipts, sticks, protected keys. */
import type { Command } from "commander";
import { type Leaf, many } from "./leaf.ts";

/** @param verifyOptions adds whom to trust and how to look */
export function carryCommands(
  bundle: Command,
  leaf: Leaf,
  verifyOptions: (command: Command) => Command,
): void {
  const unpack = leaf(bundle, "unpack", "Verify a bundle and unpack its payload, all or nothing", [
    "stella export bundle unpack --manifest out/manifest.json --to payload",
    "stella export bundle unpack --manifest /media/a --volumes /media/b --to payload",
  ], async () => (await import("./unpack.ts")).unpackCommand)
    .requiredOption(
      "--manifest <path>",
      "manifest.json, the directory that holds it, or - (a pipe)",
    )
    .requiredOption("--to <dir>", "new or empty; nothing has its name there before the verdict");
  verifyOptions(volumesOption(unpack));
  leaf(bundle, "diff <a> <b>", diffAbout, [
    "stella export bundle diff yesterday/manifest.json today/manifest.json",
    "stella export bundle diff yesterday today --json | jq .same",
  ], async () => (await import("./diff.ts")).diffCommand);
}

const diffAbout =
  "What differs between two bundles, by manifest field and by file; exit code 0 either way";

export function receiptOptions(command: Command): Command {
  return passphraseOption(
    volumesOption(command)
      .option("--receipt <file>", "write what was checked and found, as an in-toto statement")
      .option("--receipt-key <file>", "private key that signs the receipt"),
  );
}

function volumesOption(command: Command): Command {
  return command.option("--volumes <dir>", "where volumes lie besides; repeatable", many);
}

export function passphraseOption(command: Command): Command {
  return command.option("--key-passphrase-file <file>", "passphrase of the key, mode 0600");
}

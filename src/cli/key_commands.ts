/** Commands for signing keys and trusted keys. */
import { type Command, Option } from "commander";
import { passphraseOption } from "./bundle_options.ts";
import { group, type Leaf } from "./leaf.ts";

export function keyCommands(program: Command, leaf: Leaf): void {
  const keys = group(program, "keys", "Signing keys and trusted keys");
  leaf(keys, "generate", "Make a key pair, or a shared secret", [
    "stella keys generate",
    "stella keys generate --algorithm p256 --out /etc/stella/release.key",
    "stella keys generate --algorithm hmac --out /etc/stella/shared.key",
  ], async () => (await import("./keys.ts")).generateCommand)
    .addOption(
      new Option("--algorithm <name>", "algorithm of the key").choices(["ed25519", "p256", "hmac"])
        .default("ed25519"),
    )
    .option("--out <file>", "private key file; the public key is written beside it")
    .option("--passphrase-file <file>", "encrypt the private key with this passphrase, mode 0600");
  passphraseOption(
    leaf(keys, "show", "Show the key of this machine and the trusted keys", [
      "stella keys show",
      "stella keys show --public > signer.pub",
      "stella keys show --public --server https://stella.site:8420 > signer.pub",
    ], async () => (await import("./keys.ts")).showCommand)
      .option("--public", "print the public key as PEM")
      .option("--server <url>", "with --public: the key that this service signs with")
      .option("--ca <file>", "certificate authority of the service, PEM")
      .option("--key <file>", "another private key"),
  );
  leaf(keys, "trust <file>", "Trust a public key on this machine", [
    "stella keys trust signer.pub",
  ], async () => (await import("./keys.ts")).trustCommand);
}

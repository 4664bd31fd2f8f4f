/** Options that several commands for bundles have. */
import type { Command } from "commander";
import { many, runFileOptions } from "./leaf.ts";

export function verifyOptions(command: Command): Command {
  return trustOptions(runFileOptions(registryOptions(command)));
}

/** Whom to trust. */
export function trustOptions(command: Command): Command {
  return command
    .option("--trust <path>", "public key, or a directory of *.pub; repeatable", many)
    .option("--secret <file>", "shared secret that the bundle must be signed with (HMAC-SHA256)")
    .option(
      "--trust-from-media",
      "accept a --trust key from the bundle's own medium (proves no origin)",
    )
    .option("--integrity-only", "check integrity only, ignore the signer");
}

export function pushOptions(command: Command): Command {
  return command.option(
    "--mount-from <repository>",
    "repository of the same registry that may have the files already; repeatable",
    many,
  );
}

export function registryOptions(command: Command): Command {
  return command
    .option("--plain-http", "speak http to a registry that is not on this machine")
    .option("--ca <file>", "certificate authority of the registry or service, PEM")
    .option(
      "--credentials <file>",
      "{username, password}, docker's config.json or podman's auth.json; mode 0600",
    )
    .option("--client-cert <file>", "certificate to show to the registry, PEM")
    .option("--client-key <file>", "its private key, PEM, mode 0600");
}

export function receiptOptions(command: Command): Command {
  return passphraseOption(
    volumesOption(command)
      .option("--receipt <file>", "write what was checked and found, as an in-toto statement")
      .option("--receipt-key <file>", "private key that signs the receipt"),
  );
}

export function volumesOption(command: Command): Command {
  return command.option(
    "--volumes <dir>",
    "also look for volumes in this directory; repeatable",
    many,
  );
}

export function passphraseOption(command: Command): Command {
  return command.option("--key-passphrase-file <file>", "passphrase of the key, mode 0600");
}

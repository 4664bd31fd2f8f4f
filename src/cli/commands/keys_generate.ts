import { defineCommand, text } from "../command.ts";

export const command = defineCommand({
  path: "keys generate",
  summary: "Generate a key pair or a shared secret",
  options: {
    algorithm: text("name", "algorithm of the key", {
      choices: ["ed25519", "p256", "hmac"],
      default: "ed25519",
    }),
    out: text("file", "private key file; the public key is written beside it"),
    passphraseFile: text("file", "encrypt the private key with this passphrase, mode 0600"),
  },
  permissions: ["write", "env", "sys"],
  examples: [
    "stella keys generate",
    "stella keys generate --algorithm p256 --out /etc/stella/release.key",
    "stella keys generate --algorithm hmac --out /etc/stella/shared.key",
  ],
  run: async ({ options }, host) => (await import("../keys.ts")).generateKeys(options, host),
});

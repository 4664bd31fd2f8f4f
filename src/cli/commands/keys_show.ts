import { defineCommand, flag, text } from "../command.ts";
import { passphraseOption, serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "keys show",
  summary: "Show the key of this machine and the trusted keys",
  options: {
    public: flag("print the public key as PEM"),
    server: {
      ...serviceOptions.server,
      help: "with --public: print the signing key of this service",
    },
    ca: serviceOptions.ca,
    key: text("file", "show the public key of this private key"),
    ...passphraseOption,
  },
  permissions: ({ options }) => options.server === undefined ? ["env"] : ["net", "env"],
  examples: [
    "stella keys show",
    "stella keys show --public > signer.pub",
    "stella keys show --public --server https://stella.site:8420 > signer.pub",
  ],
  run: async ({ options }, host) => (await import("../keys.ts")).showKeys(options, host),
});

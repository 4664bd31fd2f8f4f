import { defineCommand } from "../command.ts";
import { passphraseOption, serviceOptions } from "../options.ts";

export const command = defineCommand({
  path: "keys show",
  summary: "Show the key of this machine and the trusted keys",
  args: {},
  options: {
    public: { kind: "flag", help: "print the public key as PEM" },
    server: {
      ...serviceOptions.server,
      help: "with --public: the key that this service signs with",
    },
    ca: serviceOptions.ca,
    key: { kind: "text", help: "show the public key of this private key", value: "file" },
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

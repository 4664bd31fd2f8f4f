import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "version",
  summary: "Version, commit, build date and form",
  args: {},
  options: {
    check: { kind: "flag", help: "compare the program's bytes with the digest from its build" },
  },
  permissions: "unchanged",
  examples: ["stella version --check"],
  run: async ({ options }, host) => (await import("../version.ts")).showVersion(options, host),
});

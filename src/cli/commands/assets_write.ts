import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "assets write",
  summary: "Write dashboards, rules, runbook and units to a directory",
  args: { dir: { help: "directory; created if it does not exist" } },
  options: {
    only: {
      kind: "text",
      help: "write only the assets of this kind",
      value: "kind",
      choices: ["systemd", "dashboards"],
    },
    baseUrl: {
      kind: "text",
      help: "address at which users reach this service, for links in the alert rules",
      value: "url",
    },
    grafanaUrl: {
      kind: "text",
      help: "address of the site's Grafana, for links in the alert rules",
      value: "url",
    },
  },
  permissions: ["write"],
  examples: [
    "stella assets write stella-assets",
    "stella assets write --only systemd /etc/systemd/system",
  ],
  run: async ({ args, options }, host) =>
    (await import("../assets.ts")).writeAssets(args.dir, options, host),
});

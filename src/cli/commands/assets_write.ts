import { defineCommand, text } from "../command.ts";

export const command = defineCommand({
  path: "assets write",
  summary: "Write dashboards, rules, runbook and units to a directory",
  args: { dir: { help: "directory; created if it does not exist" } },
  options: {
    only: text("kind", "write only the assets of this kind", {
      choices: ["systemd", "dashboards"],
    }),
    baseUrl: text("url", "address at which users reach this service, for links in the alert rules"),
    grafanaUrl: text("url", "address of the site's Grafana, for links in the alert rules"),
  },
  permissions: ["write"],
  examples: [
    "stella assets write stella-assets",
    "stella assets write --only systemd /etc/systemd/system",
  ],
  run: async ({ args, options }, host) =>
    (await import("../assets.ts")).writeAssets(args.dir, options, host),
});

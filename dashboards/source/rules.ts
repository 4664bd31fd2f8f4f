/**
 * dashboards/export-center.rules.yml, made: recordings, and the alerts of operations.md A6 that have data. Run as a program,
 * it writes the file:
 *
 *   deno run --allow-write=dashboards dashboards/source/rules.ts
 */
import { moreExportAlerts, seedAlerts } from "./export_alerts.ts";
import { recordings } from "./recordings.ts";
import { type Clock, type Group, realTime, rulesText } from "./rule_text.ts";
import { serviceAlerts } from "./service_alerts.ts";

const head = `
Alerts of an Export Center, and the recordings they need. Loads into Prometheus 2.42 and later, 3.x included.
Made by dashboards/source/rules.ts of the project's sources.

http://stella.invalid and http://grafana.invalid are placeholders: \`stella assets write --base-url URL --grafana-url URL\`
puts the addresses of your own stella and Grafana in their place, so that the links in a notification can be clicked.
Nothing here points outside the site.

The texts are held, to the letter, by export-center.rules.test.yml: promtool test rules export-center.rules.test.yml`;

export function ruleGroups(clock: Clock): Group[] {
  return [
    { name: "export-center.recordings", rules: recordings(clock) },
    {
      name: "export-center.alerts",
      rules: [...seedAlerts(clock), ...moreExportAlerts(clock), ...serviceAlerts(clock)],
    },
  ];
}

/** The text of the file; a test compares it with the committed one. */
export function exportCenterRules(clock: Clock = realTime): string {
  return rulesText(head, ruleGroups(clock));
}

if (import.meta.main) {
  const file = new URL("../export-center.rules.yml", import.meta.url);
  Deno.writeTextFileSync(file, exportCenterRules());
}

/**
 * The runbook's alerts: rules over metrics that the service has, each with a page of the runbook.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { tool } from "../support/needs.ts";
import { Home } from "../support/program.ts";
import { asked, askedWith } from "./asked.ts";
import { isExposed, metricsOf } from "./scrape.ts";

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  annotations?: { runbook_url: string };
}

interface Case {
  alert_rule_test?: { alertname: string; exp_alerts?: unknown[] }[];
}

interface Site {
  rules: Rule[];
  cases: Case[];
  metrics: string;
  /** The page that an alert links to, by the alert's name. */
  pages: Map<string, string>;
}

/** The rules that the program writes for a running service, and the pages that they link to. */
async function readSite(): Promise<Site> {
  const home = new Home();
  const service = await home.serve();
  try {
    const write = ["assets", "write", "--only", "dashboards", "--base-url", service.url];
    await home.succeed([...write, "--grafana-url", "http://grafana.invalid", "written"]);
    const read = (name: string) => parse(readFileSync(join(home.path, "written", name), "utf8"));
    const groups: { rules: Rule[] }[] = read("export-center.rules.yml").groups;
    const rules = groups.flatMap((group) => group.rules);
    const pages = new Map<string, string>();
    for (const { alert, annotations } of rules) {
      if (alert === undefined) continue;
      const answer = await fetch(annotations!.runbook_url);
      assert.equal(answer.status, 200, alert);
      pages.set(alert, await answer.text());
    }
    const { tests } = read("export-center.rules.test.yml");
    return { rules, cases: tests, metrics: await service.get("/metrics"), pages };
  } finally {
    await service.stop();
    home.remove();
  }
}

let read: Promise<Site> | undefined;
const site = () => read ??= readSite();

const alerts: [line: number, behaviour: string, alert: string][] = [
  [
    28,
    "an alert fires when the p99 of export durations is above the SLA of the profile",
    "ExportJobDurationP99AboveSLA",
  ],
  [
    29,
    "an alert fires when an attestation failed verification within the last 10 minutes",
    "ExportAttestationVerificationFailures",
  ],
  [
    30,
    "an alert fires when pushes to a registry take far longer than before",
    "ExportRegistryPushLatencySpike",
  ],
  [
    30,
    "an alert fires when too many pushes to a registry fail",
    "ExportRegistryPushErrorRateHigh",
  ],
  [
    31,
    "an alert fires when the queue grows and no export completes",
    "ExportQueueGrowingWithoutCompletion",
  ],
];

for (const [line, behaviour, alert] of alerts) {
  Deno.test(asked(line, behaviour, async () => {
    const { rules, cases, metrics, pages } = await site();
    const rule = rules.find((one) => one.alert === alert);
    assert.ok(rule, `no alert is called ${alert}`);
    // Its expression uses metrics of the service, through recording rules of the same file.
    const recorded = rules.filter(({ record }) => record && rule.expr.includes(record));
    const names = [rule, ...recorded].flatMap(({ expr }) =>
      metricsOf(expr.replaceAll(/\b\w+:[\w:]+/g, ""))
    );
    assert.ok(names.length > 0, rule.expr);
    for (const name of names) assert.ok(isExposed(metrics, name), `the service has no ${name}`);
    const outcomes = cases.flatMap((one) => one.alert_rule_test ?? [])
      .filter((one) => one.alertname === alert)
      .map(({ exp_alerts = [] }) => exp_alerts.length > 0);
    assert.ok(outcomes.includes(true), "no case makes it fire");
    assert.ok(outcomes.includes(false), "no case keeps it silent");
    assert.match(pages.get(alert) ?? "", new RegExp(`<h[1-6][^>]*>[^<]*${alert}`));
  }));
}

Deno.test(askedWith(
  ["promtool"],
  28,
  "promtool confirms that the alerts fire as their test cases expect",
  async (home) => {
    await home.succeed(["assets", "write", "written"]);
    const { code, stdout, stderr } = await new Deno.Command(tool("promtool")!, {
      args: ["test", "rules", "export-center.rules.test.yml"],
      cwd: join(home.path, "written/dashboards"),
    }).output();
    const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, printed);
  },
));

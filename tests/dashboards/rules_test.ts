import { deepEqual, match, ok } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { observability } from "../../dashboards/source/observability.ts";
import { requiring } from "../support/needs.ts";
import { integerBuckets } from "./dashboard_lint.ts";
import { sixtyfold } from "./fast_rules.ts";
import { labelsOf } from "./metric_names.ts";
import { groupingLabels, matchedLabels, selectors } from "./promql.ts";
import { dashboards, promtool } from "./promtool.ts";

interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: { severity: string };
  annotations?: Record<string, string>;
}

interface AlertTest {
  alertname: string;
  exp_alerts: unknown[];
}

const read = (name: string) => readFileSync(new URL(name, dashboards), "utf8");
const { groups } = parse(read("export-center.rules.yml")) as { groups: { rules: Rule[] }[] };
const all = groups.flatMap((group) => group.rules);
const alerts = all.filter((rule) => rule.alert !== undefined);
const recorded = new Set(all.map((rule) => rule.record));

/**
 * The name of a recording rule starts with the labels that it keeps, before the first colon:
 * `job_profile:...`.
 */
function labelsOfSeries(series: string): string[] | undefined {
  return recorded.has(series) ? (series.split(":")[0] ?? "").split("_") : labelsOf(series);
}

Deno.test("the alerts are the four requested ones (the third has two rules), then others about exports, then the service", () => {
  deepEqual(alerts.map((rule) => rule.alert), [
    "ExportJobDurationP99AboveSLA",
    "ExportAttestationVerificationFailures",
    "ExportRegistryPushLatencySpike",
    "ExportRegistryPushErrorRateHigh",
    "ExportQueueGrowingWithoutCompletion",
    "ExportJobStuck",
    "ExportErrorBudgetBurnFast",
    "ExportErrorBudgetBurnSlow",
    "ExportManifestPublishFailures",
    "ExportProfileStale",
    "ExportCenterDown",
    "ExportCenterAbsent",
    "ExportMetricsMissing",
    "ExportCenterNotReady",
    "ExportTargetWarning",
    "ExportStorageFillingUp",
    "ExportStoreDamaged",
    "ExportClockWentBackwards",
    "ExportCenterRestarting",
    "ExportCenterWatchdog",
  ]);
});

for (const { alert, labels, annotations } of alerts) {
  Deno.test(`${alert} has a severity, a fixed summary, a description of the case and links with placeholder addresses`, () => {
    ok(["critical", "warning", "info"].includes(labels?.severity ?? ""), labels?.severity);
    match(annotations?.["summary"] ?? "", /^[A-Z][^{}]+\.$/);
    match(annotations?.["description"] ?? "", /\{\{ \$(labels|value)/);
    deepEqual(annotations?.["runbook_url"], `http://stella.invalid/runbook/${alert}`);
    deepEqual(annotations?.["dashboard_url"], `http://grafana.invalid/d/${observability.uid}`);
  });
}

Deno.test("the rules for quick tests differ from the shipped ones only in durations, divided by 60", () => {
  const seconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
  const durations = (rule: Rule) =>
    [...`${rule.expr} [${rule.for ?? "0s"}]`.matchAll(/(?:\[|\boffset )(\d+)([smhd])\b/g)]
      .map(([, count, unit = ""]) => Number(count) * (seconds[unit] ?? NaN));
  const rest = ({ for: _, expr, ...others }: Rule) => ({
    ...others,
    expr: expr.replaceAll(/(\[|\boffset )\d+[smhd]\b/g, "$1").replaceAll(/\b\d+(\.\d+)?\b/g, "N"),
  });
  const text = sixtyfold(read("export-center.rules.yml"));
  const fast = (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((one) => one.rules);
  deepEqual(fast.map((rule) => durations(rule).map((one) => one * 60)), all.map(durations));
  deepEqual(fast.map(rest), all.map(rest));
  deepEqual(["+ 120)", ", 480)"].map((one) => text.split(one).length - 1), [2, 1]);
});

Deno.test("every series that a rule names exists, with every label that the rule relies on", () => {
  for (const { alert, record, expr } of all) {
    const named = selectors(expr);
    const has = new Set(named.flatMap((one) => labelsOfSeries(one.series) ?? []));
    const strange = [
      ...named.filter((one) => labelsOfSeries(one.series) === undefined).map((one) => one.series),
      ...groupingLabels(expr).filter((label) => !has.has(label)),
      ...named.flatMap(matchedLabels).filter((label) => !has.has(label)),
      ...integerBuckets(expr),
    ];
    deepEqual(strange, [], `${alert ?? record}`);
  }
});

Deno.test("every alert has a test case in which it fires and one in which it does not", () => {
  const { tests } = parse(read("export-center.rules.test.yml")) as {
    tests: { alert_rule_test: AlertTest[] }[];
  };
  const cases = tests.flatMap((one) => one.alert_rule_test);
  for (const { alert } of alerts) {
    const own = cases.filter((one) => one.alertname === alert);
    ok(own.some((one) => one.exp_alerts.length > 0), `${alert} is never expected`);
    // The watchdog has no case in which it is silent, because it must always fire.
    if (alert === "ExportCenterWatchdog") continue;
    ok(own.some((one) => one.exp_alerts.length === 0), `${alert} is never excluded`);
  }
});

Deno.test("no link in dashboards/ points outside the site", () => {
  const allowed = /^https?:\/\/(127\.0\.0\.1|10\.0\.0\.\d+|(stella|grafana)\.invalid)(?![\w.])/;
  const names = readdirSync(dashboards, { withFileTypes: true });
  for (const { name } of names.filter((one) => one.isFile())) {
    const links = read(name).match(/https?:\/\/[^\s"'`)<]+/g) ?? [];
    deepEqual(links.filter((link) => !allowed.test(link)), [], name);
  }
});

Deno.test("the scrape job is named export-center and loads the rules", () => {
  const config = parse(read("prometheus.yml")) as {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  deepEqual(config.rule_files, ["export-center.rules.yml"]);
  deepEqual(config.scrape_configs, [
    { job_name: "export-center", static_configs: [{ targets: ["127.0.0.1:8420"] }] },
  ]);
});

Deno.test(
  requiring(["promtool"], "promtool check rules accepts the rules and counts all of them", () => {
    const printed = promtool(
      "check",
      "rules",
      "--lint=all",
      "--lint-fatal",
      "export-center.rules.yml",
    );
    match(printed, new RegExp(`SUCCESS: ${all.length} rules found`));
  }),
);

Deno.test(requiring(
  ["promtool"],
  "promtool check config accepts the scrape configuration with its rules",
  () => {
    match(promtool("check", "config", "prometheus.yml"), /1 rule files found[^]*valid prometheus/);
  },
));

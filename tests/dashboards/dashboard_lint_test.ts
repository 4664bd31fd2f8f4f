/** Each lint rule is run on a dashboard that violates it, and only that rule must report it. */
import { deepEqual, ok } from "node:assert/strict";
import { dashboards } from "../../dashboards/source/generate.ts";
import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import type { MetricQuery, Panel } from "../../dashboards/source/grafana.ts";
import { type Exceptions, integerBuckets, lint, rules } from "./dashboard_lint.ts";

const exportCenter = dashboards["export-center-observability.json"];

/** What the dashboard needs so that only the intended violation is found. */
const exceptions: Exceptions = Map.groupBy(
  lint(exportCenter, new Map()).map((line) => line.split(": ")),
  ([rule = ""]) => rule,
).entries().reduce(
  (all, [rule, found]) => all.set(rule, new Set(found.map((one) => one[1] ?? ""))),
  new Map<string, Set<string>>(),
);

const panel = (d: Dashboard, at = 0) => d.panels[at] as Panel;
const target = (d: Dashboard, at = 0) => panel(d, at).targets?.[0] as MetricQuery;
const variable = (d: Dashboard, name: string) =>
  d.templating.list.find((one) => one.name === name) as Dashboard["templating"]["list"][0];
const edit = (d: Dashboard, from: string, to: string, at = 0) => {
  ok(target(d, at).expr.includes(from), `the query has no ${from} to break`);
  target(d, at).expr = target(d, at).expr.replace(from, to);
};

/** The last panel of the other dashboard queries the trace store. */
const search = dashboards["export-center-traces.json"].panels.at(-1)?.panels?.at(-1)?.targets ?? [];

const breaks: Record<string, (d: Dashboard) => void> = {
  "template-datasource-rule": (d) => variable(d, "datasource").name = "source",
  "template-job-rule": (d) => variable(d, "job")["allValue"] = ".*",
  "template-instance-rule": (d) => variable(d, "instance")["multi"] = false,
  "template-label-promql-rule": (d) => variable(d, "profile").query = "label_values(profile)",
  "template-on-time-change-reload-rule": (d) => variable(d, "profile")["refresh"] = 1,
  "panel-datasource-rule": (d) => delete panel(d).datasource,
  "panel-title-description-rule": (d) => panel(d).description = "",
  "panel-units-rule": (d) => (panel(d).fieldConfig as { defaults: object }).defaults = {},
  "panel-no-targets-rule": (d) => panel(d).targets = [],
  "target-job-rule": (d) => edit(d, 'job=~"$job",', ""),
  "target-instance-rule": (d) => edit(d, 'instance=~"$instance"', 'instance="a"'),
  "target-counter-agg-rule": (d) => edit(d, "increase(", "idelta(", 3),
  "target-rate-interval-rule": (d) => {
    edit(d, "[$__rate_interval]", "[5m]", 3);
    panel(d, 3).title = "Not excepted";
  },
  "target-promql-rule": (d) => panel(d, 2).targets = search,
  "uneditable-dashboard": (d) => d.title = "Not excepted",
  "air-gap-no-url": (d) => panel(d).description = "see https://example.org/",
  "air-gap-no-inputs": (d) => d["__inputs"] = [],
  "air-gap-core-panels": (d) => panel(d, 2).type = "piechart" as "stat",
  "all-datasources-templated": (d) => (target(d) as { datasource: object }).datasource = {},
  "importable-anywhere": (d) => d.uid = "",
  "panel-ids-unique": (d) => panel(d, 1).id = panel(d).id,
  "panels-within-grid": (d) => panel(d, 1).gridPos.x = 2,
  "target-legend": (d) => target(d).legendFormat = "",
  "prometheus-3-buckets": (d) => edit(d, '"}', '",le="300"}', 1),
  "metrics-exist": (d) => edit(d, "export_queue_depth", "export_queue_lenght", 4),
  "labels-exist": (d) => target(d, 4).legendFormat = "{{profile}}",
};

for (const name of Object.keys(rules)) {
  Deno.test(`the lint rule ${name} reports its violation`, () => {
    const broken = structuredClone(exportCenter);
    breaks[name]?.(broken);
    const found = lint(broken, exceptions).map((line) => line.split(":")[0]);
    ok(found.includes(name), `found only ${JSON.stringify(found)}`);
  });
}

Deno.test("the lint reports nothing about the dashboard that the violations start from", () => {
  deepEqual(lint(exportCenter, exceptions), []);
});

Deno.test("a bucket bound must be written so that Prometheus 2 and 3 both match it", () => {
  deepEqual(integerBuckets('a{le="300"} + a{le!~"5|10"} + a{le=~"300(\\\\.0)?"} + a{le="+Inf"}'), [
    "300",
    "5|10",
  ]);
});

Deno.test("the lint reports overlapping panels in a collapsed row", () => {
  const broken = structuredClone(exportCenter);
  const inside = broken.panels.at(-1)?.panels ?? [];
  ok(inside.length > 1);
  for (const one of inside) one.gridPos = { x: 0, y: 99, w: 12, h: 8 };
  const found = lint(broken, exceptions);
  ok(
    found.includes(`panels-within-grid: ${inside[1]?.title} covers ${inside[0]?.title}`),
    `${found}`,
  );
});

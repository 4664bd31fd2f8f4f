/**
 * The rules for every dashboard. The first ones reimplement those of grafana/dashboard-linter that
 * apply to a Prometheus dashboard (docs/rules there; it is written in Go, so a test machine may not
 * have it). The others are for an air-gapped site, for Prometheus 3 and for metrics that exist.
 * That a query parses is not checked here: promtool does that in dashboard_test.ts.
 */
import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import type { MetricQuery, Panel, Variable } from "../../dashboards/source/grafana.ts";
import { labelsOf } from "./metric_names.ts";
import { isMetric, metricTargets, panelsOf } from "./panels.ts";
import { groupingLabels, matchedLabels, selectors } from "./promql.ts";

/** Returns one line for each violation, with its location. */
export type Rule = (dashboard: Dashboard) => string[];

/** Per rule, the titles of exempt panels and dashboards (file .lint). */
export type Exceptions = ReadonlyMap<string, ReadonlySet<string>>;

const units = ["s", "bytes", "Bps", "reqps", "percentunit", "short", "none", "bool_yes_no"];
const corePanels = new Set(["timeseries", "stat", "heatmap", "table", "row"]);

const dataPanels = (dashboard: Dashboard) =>
  panelsOf(dashboard).filter((one) => one.type !== "row");

/** The panels with data for which `bad` is true. */
function panels(dashboard: Dashboard, bad: (panel: Panel) => boolean): string[] {
  return dataPanels(dashboard).filter(bad).map((panel) => panel.title || `panel ${panel.id}`);
}

function targets(
  dashboard: Dashboard,
  bad: (target: MetricQuery, panel: Panel) => boolean,
): string[] {
  return panels(dashboard, (panel) => metricTargets([panel]).some((one) => bad(one, panel)));
}

function labelVariables(dashboard: Dashboard): Variable[] {
  return dashboard.templating.list.filter((one) => one.type === "query");
}

function hasVariable(dashboard: Dashboard, name: string, label: string): string[] {
  const good = labelVariables(dashboard).some((one) =>
    one.name === name && one.label === label && one["multi"] === true && one["allValue"] === ".+"
  );
  return good ? [] : [name];
}

const sources = { prometheus: "${datasource}", tempo: "${traces}" };

const templated = (source: { type: string; uid: string } | undefined) =>
  source?.uid !== undefined && sources[source.type as keyof typeof sources] === source.uid;

const carries = (target: MetricQuery, matcher: string) =>
  selectors(target.expr).every((one) => one.matchers.includes(matcher));

/** Every query of the file: panels, annotations. */
function queries(dashboard: Dashboard): [place: string, expr: string, legend: string][] {
  const drawn = dataPanels(dashboard).flatMap((panel) =>
    metricTargets([panel]).map((one) =>
      [panel.title, one.expr, one.legendFormat] as [string, string, string]
    )
  );
  const marked = dashboard.annotations.list.map((one) =>
    [one.name, one.expr, String(one["textFormat"] ?? "")] as [string, string, string]
  );
  return [...drawn, ...marked];
}

/** Labels that a query groups by, matches or shows, but that none of its series has. */
function strangeLabels(expr: string, legend: string): string[] {
  const named = selectors(expr);
  const has = new Set(named.flatMap((one) => labelsOf(one.series) ?? []));
  const shown = [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map((one) => one[1] ?? "");
  return [...groupingLabels(expr), ...named.flatMap(matchedLabels), ...shown]
    .filter((label) => !has.has(label));
}

/** `le="300"` is stored as `300.0` by Prometheus 3 and then matches nothing. */
export function integerBuckets(expr: string): string[] {
  return [...expr.matchAll(/\ble\s*(?:=~|!~|!=|=)\s*"([^"]*\d[^"]*)"/g)]
    .map((one) => one[1] ?? "")
    .filter((value) => !value.includes("(\\\\.0)?"));
}

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...texts(inner)]);
}

/** The panels of a collapsed row have the grid below it to themselves. */
function misplaced(dashboard: Dashboard): string[] {
  const collapsed = dashboard.panels.flatMap((row) =>
    row.panels?.length ? [[row, ...row.panels]] : []
  );
  return [...new Set([dashboard.panels, ...collapsed].flatMap(overlaps))];
}

function overlaps(panels: readonly Panel[]): string[] {
  const taken = new Map<string, string>();
  const clashes: string[] = [];
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    if (w < 1 || x + w > 24) clashes.push(`${title} leaves the grid`);
    for (let cell = 0; cell < w * h; cell++) {
      const at = `${x + cell % w},${y + Math.floor(cell / w)}`;
      const other = taken.get(at);
      if (other !== undefined && other !== title) clashes.push(`${title} covers ${other}`);
      taken.set(at, title);
    }
  }
  return clashes;
}

export const rules: Readonly<Record<string, Rule>> = {
  "template-datasource-rule": (d) => {
    const sources = d.templating.list.filter((one) => one.type === "datasource");
    const good = sources.length === 1 && sources[0]?.name === "datasource" &&
      sources[0].label === "Data source" && sources[0].query === "prometheus";
    return good ? [] : [d.title];
  },
  "template-job-rule": (d) => hasVariable(d, "job", "Job"),
  "template-instance-rule": (d) => hasVariable(d, "instance", "Instance"),
  "template-label-promql-rule": (d) =>
    labelVariables(d).filter((one) => !/^label_values\(.+, \w+\)$/.test(one.query))
      .map((one) => one.name),
  "template-on-time-change-reload-rule": (d) =>
    labelVariables(d).filter((one) => one["refresh"] !== 2).map((one) => one.name),
  "panel-datasource-rule": (d) => panels(d, (panel) => !templated(panel.datasource)),
  "panel-title-description-rule": (d) => panels(d, (one) => !one.title || !one.description),
  "panel-units-rule": (d) =>
    panels(d, (one) => !units.includes(String(one.fieldConfig?.defaults["unit"]))),
  "panel-no-targets-rule": (d) => panels(d, (panel) => (panel.targets ?? []).length === 0),
  "target-job-rule": (d) => targets(d, (one) => !carries(one, 'job=~"$job"')),
  "target-instance-rule": (d) => targets(d, (one) => !carries(one, 'instance=~"$instance"')),
  "target-counter-agg-rule": (d) =>
    targets(d, (one) => /(?<!\b(?:rate|increase)\()\b\w+_total\b/.test(one.expr)),
  "target-rate-interval-rule": (d) =>
    targets(d, (one) => {
      const ranges = [...one.expr.matchAll(/\[([^\]]*)\]/g)].map((range) => range[1]);
      return ranges.some((range) => range !== "$__rate_interval");
    }),
  "target-promql-rule": (d) =>
    panels(d, (panel) => (panel.targets ?? []).some((one) => !isMetric(one))),
  "uneditable-dashboard": (d) => d.editable ? [d.title] : [],

  "air-gap-no-url": (d) => texts(d).filter((one) => /^url$|\w:\/\//.test(one)),
  "air-gap-no-inputs": (d) =>
    ["__inputs", "__requires", "__elements"].filter((key) => d[key] !== undefined),
  "air-gap-core-panels": (d) =>
    panelsOf(d).filter((one) => !corePanels.has(one.type)).map((one) => one.title),
  "all-datasources-templated": (d) => {
    const others = [...d.annotations.list, ...labelVariables(d)];
    const bad = others.filter((one) => !templated(one.datasource)).map((one) => one.name);
    const asked = panels(
      d,
      (panel) => (panel.targets ?? []).some((one) => !templated(one.datasource)),
    );
    return [...bad, ...asked];
  },
  "importable-anywhere": (d) => d.id === null && d.uid !== "" ? [] : ["id and uid"],
  "panel-ids-unique": (d) => {
    const ids = panelsOf(d).map((one) => one.id);
    return ids.filter((id, at) => ids.indexOf(id) !== at).map(String);
  },
  "panels-within-grid": misplaced,
  "target-legend": (d) => targets(d, (one) => one.legendFormat === ""),
  "prometheus-3-buckets": (d) =>
    queries(d).filter(([, expr]) => integerBuckets(expr).length > 0).map(([place]) => place),
  "metrics-exist": (d) =>
    queries(d).flatMap(([place, expr]) =>
      selectors(expr).filter((one) => labelsOf(one.series) === undefined)
        .map((one) => `${place}: ${one.series}`)
    ),
  "labels-exist": (d) =>
    queries(d).flatMap(([place, expr, legend]) =>
      strangeLabels(expr, legend).map((label) => `${place}: ${label}`)
    ),
};

/** All findings as `rule: place`. */
export function lint(dashboard: Dashboard, exceptions: Exceptions): string[] {
  return Object.entries(rules).flatMap(([name, rule]) =>
    rule(dashboard).filter((place) => !exceptions.get(name)?.has(place))
      .map((place) => `${name}: ${place}`)
  );
}

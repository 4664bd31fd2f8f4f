import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { dashboardText } from "../../dashboards/source/dashboard.ts";
import { isMetric, type Target } from "../../dashboards/source/grafana.ts";
import type { Dashboard } from "../../dashboards/source/grafana_frame.ts";
import { tracesDashboardText } from "../../dashboards/source/traces_dashboard.ts";
import { testWith } from "../support/needs.ts";
import { lint } from "./dashboard_lint.ts";
import { serviceMetrics } from "./metric_names.ts";
import { filled, selectors } from "./promql.ts";
import { dashboards, parses } from "./promtool.ts";

const read = (name: string) => readFileSync(new URL(name, dashboards), "utf8");
const files = [
  ["export-center-observability.json", "dashboards/source/dashboard.ts", dashboardText()],
  ["export-center-traces.json", "dashboards/source/traces_dashboard.ts", tracesDashboardText()],
] as const;
const dashboard = JSON.parse(read(files[0][0])) as Dashboard;
const traces = JSON.parse(read(files[1][0])) as Dashboard;

interface Exclusion {
  reason: string;
  entries: { panel?: string; dashboard?: string }[];
}

function excepted(): Map<string, Set<string>> {
  const { exclusions } = parse(read(".lint")) as { exclusions: Record<string, Exclusion> };
  return new Map(
    Object.entries(exclusions).map(([rule, { reason, entries }]) => {
      ok(reason.length > 40, `${rule} is excepted without a reason`);
      return [rule, new Set(entries.map((one) => one.panel ?? one.dashboard ?? ""))];
    }),
  );
}

for (const [name, source, text] of files) {
  Deno.test(`the committed ${name} is what ${source} makes of it`, () => {
    ok(
      read(name) === text,
      `dashboards/${name} is stale: run deno run --allow-write=dashboards ${source}`,
    );
  });

  Deno.test(`${name} keeps to every rule of the lint`, () => {
    deepEqual(lint(JSON.parse(read(name)), excepted()), []);
  });
}

Deno.test("the first row is the six panels that were asked for, in their order", () => {
  const top = Math.min(...dashboard.panels.map((one) => one.gridPos.y));
  const first = dashboard.panels.filter((one) => one.gridPos.y === top);
  deepEqual(first.toSorted((a, b) => a.gridPos.x - b.gridPos.x).map((one) => one.title), [
    "Export job duration p95/p99",
    "Bundle size histogram",
    "Registry push latency",
    "Provenance/attestation verification failures",
    "Queue depth",
    "Error rate per profile",
  ]);
});

Deno.test("every exception from the lint is one that a dashboard needs", () => {
  const needed = [dashboard, traces].flatMap((one) => lint(one, new Map()));
  const listed = [...excepted()].flatMap(([rule, places]) =>
    [...places].map((one) => `${rule}: ${one}`)
  );
  deepEqual(listed.toSorted(), [...new Set(needed)].toSorted());
});

Deno.test("the second dashboard shows VEX and advisories per bundle, slow stages, and traces from a variable", () => {
  const kinds = traces.panels.find((one) => one.title === "VEX and advisories per bundle");
  for (const kind of ["vex", "csaf", "osv"]) {
    ok((kinds?.targets?.[0] as Target).expr.includes(kind), kind);
  }
  const searches = traces.panels.flatMap((one) => one.targets ?? []).filter((one) =>
    !isMetric(one)
  );
  ok(searches.length >= 3);
  equal(traces.templating.list.find((one) => one.name === "traces")?.query, "tempo");
});

Deno.test("the chosen scrape job is export-center, as the runbook says", () => {
  const job = dashboard.templating.list.find((one) => one.name === "job");
  deepEqual((job?.["current"] as { value: string[] }).value, ["export-center"]);
  equal(dashboard.uid, "export-center");
});

/** Series that no panel shows, each with its reason. */
const unplotted: Readonly<Record<string, string>> = {};

Deno.test("every metric of the service is on a panel, so that whatever it counts can be seen", () => {
  const shown = new Set(
    [...dashboard.panels, ...traces.panels].flatMap((panel) => panel.targets ?? [])
      .filter(isMetric).flatMap(({ expr }) => selectors(expr)).map((one) =>
        one.series.replace(/_(bucket|count|sum)$/, "")
      ),
  );
  const missing = Object.keys(serviceMetrics).filter((name) => !shown.has(name));
  deepEqual(missing, Object.keys(unplotted));
});

testWith(["promtool"], "Prometheus parses every query of the dashboards", () => {
  const panels = [...dashboard.panels, ...traces.panels];
  const drawn = panels.flatMap((panel) => panel.targets ?? []).filter(isMetric)
    .map((one) => one.expr);
  const marked = dashboard.annotations.list.map((one) => one.expr);
  ok(drawn.length >= 35);
  parses([...drawn, ...marked].map(filled));
});

testWith(["promtool"], "a query that Prometheus cannot parse fails the test above", () => {
  throws(() => parses(["sum by (le) (rate(up[5m])"]), /unclosed left parenthesis/);
});

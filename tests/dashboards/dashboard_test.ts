import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { dashboards as generated } from "../../dashboards/source/generate.ts";
import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { requiring } from "../support/needs.ts";
import { lint } from "./dashboard_lint.ts";
import { serviceMetrics } from "./metric_names.ts";
import { isMetric, metricTargets, panelsOf } from "./panels.ts";
import { filled, selectors } from "./promql.ts";
import { dashboards, parses } from "./promtool.ts";

const read = (name: string) => readFileSync(new URL(name, dashboards), "utf8");
const dashboard = JSON.parse(read("export-center-observability.json")) as Dashboard;
const traces = JSON.parse(read("export-center-traces.json")) as Dashboard;
const panels = [dashboard, traces].flatMap(panelsOf);

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

for (const [name, made] of Object.entries(generated)) {
  Deno.test(`the committed ${name} is the output of dashboards/source`, () => {
    const message = `dashboards/${name} is stale: run deno task dashboards`;
    ok(read(name) === JSON.stringify(made, null, 2) + "\n", message);
  });

  Deno.test(`${name} passes every lint rule`, () => {
    deepEqual(lint(JSON.parse(read(name)), excepted()), []);
  });

  Deno.test(`each line of ${name} is full and has at most three graphs or six numbers`, () => {
    const { panels } = JSON.parse(read(name)) as Dashboard;
    const grids = [panels, ...panels.map((row) => row.panels ?? [])];
    const lines = grids.flatMap((grid) => [...Map.groupBy(grid, (one) => one.gridPos.y).values()]);
    for (const line of lines) {
      equal(line.reduce((sum, one) => sum + one.gridPos.w, 0), 24, line[0]?.title);
      ok(line.length <= (line.every((one) => one.type === "stat") ? 6 : 3), line[0]?.title);
      equal(new Set(line.map((one) => one.gridPos.h)).size, 1, line[0]?.title);
    }
  });

  Deno.test(`${name} shows its first two rows, collapses the others and is editable`, () => {
    const { panels, editable } = JSON.parse(read(name)) as Dashboard;
    const rows = panels.filter((one) => one.type === "row");
    deepEqual(rows.map((row) => row.collapsed), rows.map((_, at) => at >= 2));
    deepEqual(rows.map((row) => row.panels?.length !== 0), rows.map((row) => row.collapsed));
    ok(rows.length > 2);
    equal(editable, true);
  });
}

Deno.test("the six requested panels are at the top in order, three on a line", () => {
  const top = dashboard.panels.slice(0, 6);
  deepEqual(top.map(({ title, gridPos: { x, y, w } }) => [title, x, y, w]), [
    ["Export job duration p95/p99", 0, 0, 8],
    ["Bundle size histogram", 8, 0, 8],
    ["Registry push latency", 16, 0, 8],
    ["Provenance/attestation verification failures", 0, 8, 8],
    ["Queue depth", 8, 8, 8],
    ["Error rate per profile", 16, 8, 8],
  ]);
  equal(dashboard.panels[6]?.type, "row");
});

/** The histograms of a service whose buckets have exemplars with an export id. */
async function withExemplars(): Promise<string[]> {
  const metrics = new Metrics({
    profiles: [{ name: "kit" }],
    build: { version: "1", commit: "unknown", bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 0, cpuSeconds: 0, residentBytes: 0 }),
    onFault: (error) => {
      throw error;
    },
  });
  const of = { profile: "kit", exportId: "0198c5e2-7d7a-7c6e-9f0e-3b1f2a4c5d6e" };
  metrics.jobFinished({ ...of, result: "success", seconds: 1 });
  metrics.bundleMade({ ...of, bytes: 1, artifacts: {}, leftOut: {} });
  metrics.pushed({ ...of, result: "success", seconds: 1 });
  metrics.stageEnded("read", 1);
  metrics.answered("GET", "/status", 200, 0.1);
  const { body } = await metrics.scrape(true);
  const found = body.matchAll(/^(\w+)_bucket\{.*\} \d+ # \{exportId=/gm);
  return [...new Set([...found].map((one) => one[1] ?? ""))].toSorted();
}

Deno.test("panels query exemplars exactly if their histogram has exemplars and the same unit", async () => {
  const quantiles = metricTargets(
    panels.filter((one) => ["s", "bytes"].includes(String(one.fieldConfig?.defaults["unit"]))),
  );
  const histograms = await withExemplars();
  ok(histograms.length > 0);
  const has = quantiles.filter(({ expr }) =>
    histograms.some((one) => expr.includes(`${one}_bucket`))
  );
  deepEqual(metricTargets(panels).filter((one) => one.exemplar), has);
  for (const name of histograms) ok(has.some(({ expr }) => expr.includes(name)), name);
});

Deno.test("every lint exception is needed by a dashboard", () => {
  const needed = [dashboard, traces].flatMap((one) => lint(one, new Map()));
  const listed = [...excepted()].flatMap(([rule, places]) =>
    [...places].map((one) => `${rule}: ${one}`)
  );
  deepEqual(listed.toSorted(), [...new Set(needed)].toSorted());
});

Deno.test("VEX, OSV and the other advisories have separate axes", () => {
  const kinds = metricTargets(panelsOf(traces)).flatMap((one) =>
    /kind=~"([\w|]+)"/.exec(one.expr)?.[1] ?? []
  );
  deepEqual(kinds, ["vex", "osv", "csaf|kev|epss", "cyclonedx|spdx"]);
});

Deno.test("the second dashboard shows slow stages, and traces from a data source variable", () => {
  ok(traces.panels.some((one) => one.title === "Slowest stages, p95"));
  const searches = panelsOf(traces).flatMap((one) => one.targets ?? []).filter((one) =>
    !isMetric(one)
  );
  equal(searches.length, 3);
  equal(traces.templating.list.find((one) => one.name === "traces")?.query, "tempo");
});

Deno.test("the selected scrape job is export-center, as in the runbook", () => {
  const job = dashboard.templating.list.find((one) => one.name === "job");
  deepEqual((job?.["current"] as { value: string[] }).value, ["export-center"]);
  equal(dashboard.uid, "export-center");
});

/** Series that no panel shows, each with its reason. */
const unplotted: Readonly<Record<string, string>> = {};

Deno.test("every metric of the service is on a panel, unless an exception gives a reason", () => {
  const shown = new Set(
    metricTargets(panels).flatMap(({ expr }) => selectors(expr)).map((one) =>
      one.series.replace(/_(bucket|count|sum)$/, "")
    ),
  );
  const missing = Object.keys(serviceMetrics).filter((name) => !shown.has(name));
  deepEqual(missing, Object.keys(unplotted));
});

Deno.test(requiring(["promtool"], "Prometheus parses every query of the dashboards", () => {
  const drawn = metricTargets(panels).map((one) => one.expr);
  const marked = dashboard.annotations.list.map((one) => one.expr);
  ok(drawn.length >= 35);
  parses([...drawn, ...marked].map(filled));
}));

Deno.test(
  requiring(["promtool"], "the test above fails for a query that Prometheus cannot parse", () => {
    throws(() => parses(["sum by (le) (rate(up[5m])"]), /unclosed left parenthesis/);
  }),
);

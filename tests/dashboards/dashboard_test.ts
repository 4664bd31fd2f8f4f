import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { dashboardText } from "../../src/build/dashboard.ts";
import type { Dashboard } from "../../src/build/grafana_frame.ts";
import { testWith } from "../needs.ts";
import { lint } from "./dashboard_lint.ts";
import { filled } from "./promql.ts";
import { dashboards, parses } from "./promtool.ts";

const committed = readFileSync(new URL("export-center-observability.json", dashboards), "utf8");
const dashboard = JSON.parse(committed) as Dashboard;

function excepted(): Set<string> {
  const file = parse(readFileSync(new URL(".lint", dashboards), "utf8")) as {
    exclusions: Record<string, { entries: { panel: string }[] }>;
  };
  deepEqual(Object.keys(file.exclusions), ["target-rate-interval-rule"]);
  return new Set(file.exclusions["target-rate-interval-rule"]?.entries.map((one) => one.panel));
}

Deno.test("the committed dashboard is what src/build/dashboard.ts makes of itself", () => {
  ok(
    committed === dashboardText(),
    "dashboards/export-center-observability.json is stale: " +
      "run deno run --allow-write=dashboards src/build/dashboard.ts",
  );
});

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

Deno.test("the committed dashboard keeps to every rule of the lint", () => {
  deepEqual(lint(dashboard, excepted()), []);
});

Deno.test("every exception from the lint is one that a panel needs", () => {
  const without = lint(dashboard, new Set()).map((line) => line.replace(/^[^:]+: /, ""));
  deepEqual(new Set(without), excepted());
});

Deno.test("the chosen scrape job is export-center, as the runbook says", () => {
  const job = dashboard.templating.list.find((one) => one.name === "job");
  deepEqual((job?.["current"] as { value: string[] }).value, ["export-center"]);
  equal(dashboard.uid, "export-center");
});

testWith(["promtool"], "Prometheus parses every query of the dashboard", () => {
  const drawn = dashboard.panels.flatMap((panel) => panel.targets ?? []).map((one) => one.expr);
  const marked = dashboard.annotations.list.map((one) => one.expr);
  ok(drawn.length >= 18);
  parses([...drawn, ...marked].map(filled));
});

testWith(["promtool"], "a query that Prometheus cannot parse fails the test above", () => {
  throws(() => parses(["sum by (le) (rate(up[5m])"]), /unclosed left parenthesis/);
});

/** Compares the list that dashboards, rules and runbook are checked against with the service. */
import { deepEqual } from "node:assert/strict";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { labelsOf, serviceMetrics } from "./metric_names.ts";

/** /metrics of a service with one profile, after its first round of checks. */
async function scrape(): Promise<string> {
  const metrics = new Metrics({
    profiles: [{ name: "advisories", slaSeconds: 900 }],
    build: { version: "0.1.0", commit: "unknown", bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 1, cpuSeconds: 1, residentBytes: 1 }),
    onFault: (error) => {
      throw error;
    },
  });
  metrics.checked("storage:write", "pass", 1);
  metrics.answered("GET", "/status", 200, 0.1);
  metrics.storage({ free: 1, size: 2 });
  metrics.bundleMade({
    profile: "advisories",
    bytes: 1,
    artifacts: { osv: 1 },
    leftOut: { unread: 1 },
  });
  return (await metrics.scrape()).body;
}

Deno.test("the service exports exactly the metrics of the list, with their types", async () => {
  const types = [...(await scrape()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  deepEqual(
    Object.fromEntries(types.map((one) => [one[1], one[2]])),
    Object.fromEntries(Object.entries(serviceMetrics).map(([name, { type }]) => [name, type])),
  );
});

Deno.test("every series of the service has the labels of the list, from the start", async () => {
  const series = [...(await scrape()).matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)];
  const seen = new Set(series.map((one) => one[1]));
  for (const [, name = "", labels = ""] of series) {
    const has = [...labels.matchAll(/(\w+)="/g)].map((one) => one[1] ?? "");
    deepEqual(["job", "instance", ...has].toSorted(), labelsOf(name)?.toSorted(), name);
  }
  const born = Object.entries(serviceMetrics).map(([name, { type }]) =>
    type === "histogram" ? `${name}_count` : name
  );
  deepEqual(born.filter((name) => !seen.has(name)), []);
});

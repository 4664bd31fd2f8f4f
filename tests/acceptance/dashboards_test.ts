/** The runbook's dashboard: a file to import, and the panels that it names. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "../support/program.ts";
import { asked } from "./asked.ts";
import { isExposed, metricsAfterExport, metricsOf } from "./scrape.ts";

interface Panel {
  title: string;
  type: string;
  targets: { expr: string }[];
}

interface Dashboard {
  __inputs?: unknown;
  __requires?: unknown;
  panels: Panel[];
  templating: { list: { type: string }[] };
}

/** The dashboard as the program writes it. */
async function written(home: Home): Promise<string> {
  await home.succeed(["assets", "write", "kit"]);
  return readFileSync(join(home.path, "kit/dashboards/export-center-observability.json"), "utf8");
}

Deno.test(
  asked(
    10,
    "the dashboard can be imported unchanged and names no external data source",
    async (home) => {
      const text = await written(home);
      const { __inputs, __requires, templating }: Dashboard = JSON.parse(text);
      assert.deepEqual([__inputs, __requires], [undefined, undefined]);
      assert.doesNotMatch(text, /https?:\/\//);
      assert.ok(templating.list.some(({ type }) => type === "datasource"));
    },
  ),
);

const panels: [line: number, title: string, metric: string][] = [
  [11, "export job duration p95/p99", "export_job_duration_seconds"],
  [12, "bundle size histogram", "export_bundle_size_bytes"],
  [13, "registry push latency", "export_registry_push_latency_seconds"],
  [14, "provenance/attestation verification failures", "export_attestation_failures_total"],
  [15, "queue depth", "export_queue_depth"],
  [16, "error rate per profile", "export_jobs_total"],
];

for (const [line, title, metric] of panels) {
  Deno.test(
    asked(line, `a panel shows ${title} from metrics that the service exposes`, async (home) => {
      const { panels }: Dashboard = JSON.parse(await written(home));
      const panel = panels.find((one) => one.title.toLowerCase() === title);
      assert.ok(panel, `no panel is called ${title}`);
      const read = panel.targets.flatMap(({ expr }) => metricsOf(expr));
      assert.ok(read.includes(metric), `${read} lacks ${metric}`);
      const metrics = await metricsAfterExport();
      for (const name of read) assert.ok(isExposed(metrics, name), `the service has no ${name}`);
    }),
  );
}

Deno.test(asked(16, "the error rate counts the failed jobs of each profile", async (home) => {
  const { panels }: Dashboard = JSON.parse(await written(home));
  const panel = panels.find((one) => one.title.toLowerCase() === "error rate per profile");
  assert.match(panel?.targets[0]?.expr ?? "", /export_jobs_total\{[^}]*result="failed"/);
  assert.match(panel?.targets[0]?.expr ?? "", /\bby \([^)]*profile/);
}));

/** Metrics that dashboards and alerts need besides the six required ones. */
import assert from "node:assert/strict";
import { ExportWatch } from "../../src/telemetry/export_watch.ts";
import { type Stage } from "../../src/domain/labels.ts";
import type { LogFields } from "../../src/telemetry/log.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { openTraces } from "../../src/telemetry/traces.ts";

function bench() {
  const metrics = new Metrics({
    profiles: [{ name: "advisories", slaSeconds: 60 }, { name: "free" }],
    build: { version: "0.1.0", commit: "unknown", bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 0, cpuSeconds: 0, residentBytes: 0 }),
    onFault: (error) => assert.fail(String(error)),
  });
  const value = async (series: string) => {
    const line = (await metrics.scrape()).body.split("\n")
      .find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  return { metrics, value };
}

Deno.test("an export meets its SLA if it succeeded in time; without an SLA if it succeeded", async () => {
  const { metrics, value } = bench();
  const within = (profile: string) => value(`export_jobs_within_sla_total{profile="${profile}"}`);
  assert.deepEqual([await within("advisories"), await within("free")], [0, 0]);
  for (const seconds of [1, 60, 61]) {
    metrics.jobFinished({ profile: "advisories", result: "success", seconds });
    metrics.jobFinished({ profile: "advisories", result: "failed", seconds });
    metrics.jobFinished({ profile: "free", result: "success", seconds: seconds * 1000 });
    metrics.jobFinished({ profile: "free", result: "cancelled", seconds });
  }
  assert.deepEqual([await within("advisories"), await within("free")], [2, 3]);
});

Deno.test("a stage's time and bytes are counted; a decreasing count subtracts nothing", async () => {
  const { metrics, value } = bench();
  let now = 0;
  const watch = new ExportWatch({ exportId: "1", profile: "free", tenant: "a" }, {
    log: () => {},
    metrics,
    elapsed: () => now,
  });
  const reported = (stage: Stage, done: number) =>
    watch.onEvent({ kind: "progress", stage, done, total: 100 });
  reported("read", 0);
  reported("read", 60);
  reported("read", 100);
  now = 2_000;
  reported("push", 0);
  reported("push", 80);
  reported("push", 30);
  reported("push", 100);
  reported("a stage of a later version" as Stage, 5);
  watch.ended({ state: "succeeded" }, 1);
  assert.equal(await value('export_processed_bytes_total{stage="read"}'), 100);
  assert.equal(await value('export_processed_bytes_total{stage="push"}'), 150);
  assert.equal(await value('export_processed_bytes_total{stage="other"}'), 5);
  assert.equal(await value('export_stage_duration_seconds_sum{stage="read"}'), 2);
  assert.equal(await value('export_stage_duration_seconds_count{stage="other"}'), 1);
  assert.equal(await value('export_stage_duration_seconds_count{stage="plan"}'), 0);
});

Deno.test("the newest bundle's artifacts replace those of the one before", async () => {
  const { metrics, value } = bench();
  const of = (kind: string) => value(`export_bundle_artifacts{profile="free",kind="${kind}"}`);
  assert.equal(await of("vex"), undefined);
  metrics.bundleMade({ profile: "free", bytes: 1, artifacts: { vex: 3, osv: 9 } });
  assert.deepEqual([await of("vex"), await of("osv"), await of("kev")], [3, 9, 0]);
  metrics.bundleMade({ profile: "free", bytes: 1, artifacts: { osv: 8, "no kind": 1 } });
  assert.deepEqual([await of("vex"), await of("osv"), await of("no kind")], [0, 8, undefined]);
});

Deno.test("records skipped in the newest risk bundle are counted by reason; other bundles have no series", async () => {
  const { metrics, value } = bench();
  const of = (reason: string) =>
    value(`export_risk_records_left_out{profile="free",reason="${reason}"}`);
  metrics.bundleMade({ profile: "free", bytes: 1, artifacts: { osv: 9 } });
  assert.equal(await of("invalid"), undefined);
  metrics.bundleMade({ profile: "free", bytes: 1, leftOut: { invalid: 3, bad_id: 1, unread: 0 } });
  assert.deepEqual([await of("invalid"), await of("bad_id"), await of("unread")], [3, 1, 0]);
});

Deno.test("with traces on, log lines have the trace id, spans are counted and failures logged", async () => {
  const { metrics, value } = bench();
  const lines: ({ event: string } & LogFields)[] = [];
  const answers = [400];
  const traces = openTraces({
    post: () => Promise.resolve(answers.shift() ?? 200),
    resource: {},
    version: "1",
    log: (_severity, event, _body, fields) => lines.push({ event, ...fields }),
    metrics,
    now: () => 0,
    elapsed: () => 0,
    random: (bytes) => bytes.fill(1),
    escape: (text) => text,
  });
  const exportId = "0198c5e2-7d7a-7c6e-9f0e-3b1f2a4c5d6e";
  const of = { exportId, profile: "free", tenant: "a" };
  const log = (_severity: string, event: string, _body: string, fields?: LogFields) =>
    lines.push({ event, ...fields });
  const trace = traces.ofExport({ ...of, createdAt: 0 });
  const watch = new ExportWatch(of, { log, metrics, elapsed: () => 0, trace });
  watch.started(1);
  watch.ended({ state: "succeeded" }, 1);
  assert.deepEqual(
    new Set(lines.map((one) => one.traceId)),
    new Set([exportId.replaceAll("-", "")]),
  );
  await traces.close(1_000);
  assert.equal(await value('export_trace_spans_total{result="lost"}'), 3);
  assert.deepEqual([lines.at(-1)?.event, lines.at(-1)?.detail], [
    "traces.failed",
    "the collector responded 400",
  ]);
});

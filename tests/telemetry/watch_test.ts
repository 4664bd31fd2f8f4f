import assert from "node:assert/strict";
import { watchChecks } from "../../src/telemetry/check_watch.ts";
import { EgressWatch } from "../../src/telemetry/egress_watch.ts";
import { ExportWatch } from "../../src/telemetry/export_watch.ts";
import type { Log, LogFields } from "../../src/telemetry/log.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";

function bench() {
  const lines: ({ severity: string; event: string } & LogFields)[] = [];
  const log: Log = (severity, event, _, fields) => lines.push({ severity, event, ...fields });
  const metrics = new Metrics({
    profiles: [{ name: "advisories" }],
    build: { version: "0.1.0", commit: "unknown", bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 0, cpuSeconds: 0, residentBytes: 0 }),
    onFault: (error) => assert.fail(String(error)),
  });
  const value = async (series: string) => {
    const { body } = await metrics.scrape();
    const line = body.split("\n").find((one) => one.startsWith(`${series} `));
    return Number(line?.slice(series.length + 1));
  };
  return { lines, log, metrics, value };
}

const of = { exportId: "01a2", profile: "advisories", tenant: "lab" };

Deno.test("an export logs one line per event, each with exportId, tenant and profile", async () => {
  const { lines, log, metrics, value } = bench();
  let now = 0;
  const watch = new ExportWatch(of, { log, metrics, elapsed: () => now });
  watch.queued();
  watch.started(1);
  for (const done of [0, 1, 2]) watch.onEvent({ kind: "progress", stage: "read", done, total: 2 });
  now = 250;
  watch.onEvent({ kind: "progress", stage: "store", done: 0, total: 0 });
  watch.onEvent({ kind: "verified", result: "success" });
  watch.onEvent({ kind: "published", result: "success" });
  watch.onEvent({ kind: "pushed", registry: "site", result: "timeout", seconds: 7 });
  watch.made(5_000_000);
  watch.ended({ state: "succeeded", bundleDigest: "ab" }, 1.5);
  assert.ok(lines.every((line) => line.exportId === "01a2" && line.profile === "advisories"));
  assert.ok(lines.every((line) => line.tenant === "lab" && line.attestationStatus !== undefined));
  assert.deepEqual(lines.map((line) => [line.severity, line.event, line.stage ?? line.status]), [
    ["INFO", "export.queued", undefined],
    ["INFO", "export.started", undefined],
    ["INFO", "export.stage.ended", "read"],
    ["INFO", "export.verified", undefined],
    ["INFO", "export.published", "success"],
    ["ERROR", "export.pushed", "timeout"],
    ["INFO", "export.stage.ended", "store"],
    ["INFO", "export.ended", "succeeded"],
  ]);
  assert.equal(lines[2]?.durationMs, 250);
  assert.deepEqual([lines[2]?.attestationStatus, lines[4]?.attestationStatus], [
    "pending",
    "verified",
  ]);
  assert.deepEqual([lines.at(-1)?.bundleDigest, lines.at(-1)?.durationMs], ["ab", 1500]);
  assert.equal(await value('export_jobs_total{profile="advisories",result="success"}'), 1);
  assert.equal(await value('export_bundle_size_bytes_sum{profile="advisories"}'), 5_000_000);
  assert.equal(await value('export_job_duration_seconds_sum{profile="advisories"}'), 1.5);
  assert.equal(await value('export_registry_push_latency_seconds_sum{profile="advisories"}'), 7);
});

Deno.test("the digest is on every line once it is known, and only that of the last attempt", () => {
  const { lines, log, metrics } = bench();
  const egress = new EgressWatch({ log, metrics });
  const watch = new ExportWatch({ ...of, trigger: "cli", actor: "ci" }, {
    log,
    metrics,
    elapsed: () => 0,
    egress,
  });
  watch.queued();
  watch.started(1);
  watch.onEvent({ kind: "progress", stage: "sign", done: 0, total: 0 });
  watch.onEvent({ kind: "signed", bundleDigest: "ab" });
  watch.onEvent({ kind: "progress", stage: "verify", done: 0, total: 0 });
  watch.onEvent({ kind: "verified", result: "success" });
  watch.onEvent({ kind: "refused", destination: "registry.site:443" });
  watch.onEvent({ kind: "pushed", registry: "site", result: "timeout", seconds: 7 });
  watch.deferred({ code: "remote", message: "no answer" }, 10);
  watch.started(2);
  assert.deepEqual(lines.map(({ event, bundleDigest }) => [event, bundleDigest]), [
    ["export.queued", undefined],
    ["export.started", undefined],
    ["export.stage.ended", "ab"],
    ["export.verified", "ab"],
    ["egress.refused", "ab"],
    ["export.pushed", "ab"],
    ["export.stage.ended", "ab"],
    ["export.deferred", "ab"],
    ["export.started", undefined],
  ]);
  const asked = lines.filter(({ actor }) => actor !== undefined);
  assert.deepEqual(asked.map(({ event, actor, trigger }) => [event, actor, trigger]), [
    ["export.queued", "ci", "cli"],
    ["export.started", "ci", "cli"],
    ["export.started", "ci", "cli"],
  ]);
});

Deno.test("a bundle that does not verify is logged and counted with its reason", async () => {
  const { lines, log, metrics, value } = bench();
  const watch = new ExportWatch(of, { log, metrics, elapsed: () => 0 });
  watch.onEvent({ kind: "verified", result: "failed", reason: "subject_mismatch" });
  const error = { code: "differs", message: "The finished bundle does not verify" };
  watch.ended({ state: "failed", error }, 1);
  assert.deepEqual(
    lines.map((line) => [line.severity, line.attestationStatus, line.detail ?? line.error?.code]),
    [["ERROR", "failed", "subject_mismatch"], ["ERROR", "failed", "differs"]],
  );
  assert.equal(await value('export_attestation_failures_total{reason="subject_mismatch"}'), 1);
  assert.equal(await value('export_jobs_total{profile="advisories",result="failed"}'), 1);
});

Deno.test("readiness is a gauge in each round and logged only when it changes", async () => {
  const { lines, log, metrics, value } = bench();
  const watch = watchChecks(log, metrics);
  const name = "storage:write";
  for (const status of ["pass", "warn", "fail", "fail", "pass", "pass"] as const) {
    watch([{ name, status, output: `was ${status}`, time: 1_000 }]);
  }
  assert.deepEqual(lines.map((line) => [line.severity, line.check, line.status, line.detail]), [
    ["WARN", name, "warn", "was warn"],
    ["ERROR", name, "fail", "was fail"],
    ["INFO", name, "pass", "was pass"],
  ]);
  assert.equal(await value(`export_readiness_check_up{check="${name}"}`), 1);
  watch([{ name, status: "fail", time: 2_000 }]);
  assert.equal(await value(`export_readiness_check_up{check="${name}"}`), 0);
});

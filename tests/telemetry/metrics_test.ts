import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Metrics, type MetricsOptions } from "../../src/telemetry/metrics.ts";
import {
  attestationFailures,
  laterFailures,
  publishResults,
  pushResults,
} from "../../src/domain/labels.ts";
import { dashboards } from "../../dashboards/source/generate.ts";
import { metricTargets } from "../dashboards/panels.ts";
import { requiring, tool } from "../support/needs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

function metrics(more: Partial<MetricsOptions> = {}): Metrics {
  return new Metrics({
    profiles: [{ name: "kit" }, { name: "advisories", slaSeconds: 45 }],
    build: { version: "0.1.0", commit: "f".repeat(40), bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 1_767_225_600, cpuSeconds: 1.5, residentBytes: 4096 }),
    onFault: (error) => assert.fail(String(error)),
    ...more,
  });
}

/** Series and values, without comments. */
async function series(of: Metrics): Promise<Map<string, number>> {
  const { body } = await of.scrape();
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("every series of the contract starts at zero", async () => {
  const found = await series(metrics());
  const zero = (name: string) => assert.equal(found.get(name), 0, name);
  for (const profile of ["kit", "advisories"]) {
    const histograms = [
      "export_job_duration_seconds",
      "export_bundle_size_bytes",
      "export_registry_push_latency_seconds",
    ];
    for (const name of histograms) {
      zero(`${name}_count{profile="${profile}"}`);
      zero(`${name}_sum{profile="${profile}"}`);
      zero(`${name}_bucket{le="+Inf",profile="${profile}"}`);
    }
    for (const result of ["success", "failed", "cancelled"]) {
      zero(`export_jobs_total{profile="${profile}",result="${result}"}`);
    }
    for (const result of pushResults) {
      zero(`export_registry_push_total{profile="${profile}",result="${result}"}`);
    }
    zero(`export_running_oldest_job_start_timestamp_seconds{profile="${profile}"}`);
  }
  for (const reason of attestationFailures) {
    zero(`export_attestation_failures_total{reason="${reason}"}`);
  }
  for (const result of publishResults) zero(`export_manifest_publish_total{result="${result}"}`);
  for (const result of ["success", "failed"]) {
    zero(`export_attestation_verifications_total{result="${result}"}`);
  }
  zero("export_queue_depth");
  zero("export_jobs_running");
  zero("export_queue_oldest_job_timestamp_seconds");
});

Deno.test("the closed lists are those of the contract", () => {
  assert.deepEqual([...attestationFailures], [
    "signature_invalid",
    "key_unknown",
    "key_revoked",
    "threshold_not_met",
    "payload_type",
    "predicate_type",
    "subject_mismatch",
    "digest_mismatch",
    "malformed",
    "rollback",
  ]);
  assert.deepEqual([...publishResults], ["success", "error", "conflict", "skipped"]);
});

Deno.test("every reason can occur, except future ones, which no panel shows", () => {
  const files = ["src/attest", "src/verify"].flatMap((directory) => filesIn(join(root, directory)))
    // Sequences are checked where a bundle arrives, not by the service.
    .filter((path) => !path.includes("/attest/trust/"));
  const text = files.map((path) => readFileSync(path, "utf8")).join("");
  const raised = attestationFailures.filter((reason) => text.includes(`"${reason}"`));
  const later: readonly string[] = laterFailures;
  assert.deepEqual(raised, attestationFailures.filter((reason) => !later.includes(reason)));
  const queries = metricTargets(dashboards["export-center-observability.json"].panels)
    .map((target) => target.expr).filter((expr) => /by \(reason\).*attestation/.test(expr));
  assert.ok(queries.length > 0);
  for (const query of queries) assert.ok(query.includes(`reason!~"${later.join("|")}"`), query);
});

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts")).map((name) => join(directory, name));
}

Deno.test("an SLA is a bucket border and a gauge; FAT32's largest file is a border", async () => {
  const found = await series(metrics());
  assert.equal(found.get('export_job_duration_seconds_bucket{le="45",profile="advisories"}'), 0);
  assert.equal(found.get('export_job_duration_seconds_bucket{le="7200",profile="kit"}'), 0);
  assert.equal(found.get('export_bundle_size_bytes_bucket{le="4294967295",profile="kit"}'), 0);
  assert.equal(found.get('export_profile_sla_seconds{profile="advisories"}'), 45);
  assert.equal(found.has('export_profile_sla_seconds{profile="kit"}'), false);
});

Deno.test("each event increments its own metric", async () => {
  const all = metrics();
  const profile = "advisories";
  all.jobFinished({ profile, result: "success", seconds: 40 });
  all.jobFinished({ profile, result: "failed", seconds: 50 });
  all.jobFinished({ profile, result: "cancelled", seconds: 60 });
  all.bundleMade({ profile, bytes: 4294967295 });
  all.bundleMade({ profile, bytes: 4294967296 });
  all.pushed({ profile, result: "timeout", seconds: 601 });
  all.count("export_manifest_publish_total", { result: "success" });
  all.verified("success");
  all.verified("failed", "subject_mismatch");
  all.checked("storage:write", "warn", 0);
  all.checked("lock:held", "fail", 0);
  all.storage({ free: 5, size: 9 });
  const found = await series(all);
  const expected: [string, number][] = [
    ['export_jobs_total{profile="advisories",result="success"}', 1],
    ['export_jobs_total{profile="advisories",result="failed"}', 1],
    ['export_jobs_total{profile="advisories",result="cancelled"}', 1],
    ['export_job_duration_seconds_count{profile="advisories"}', 2],
    ['export_job_duration_seconds_bucket{le="45",profile="advisories"}', 1],
    ['export_bundle_size_bytes_bucket{le="4294967295",profile="advisories"}', 1],
    ['export_bundle_size_bytes_count{profile="advisories"}', 2],
    ['export_registry_push_total{profile="advisories",result="timeout"}', 1],
    ['export_registry_push_latency_seconds_count{profile="advisories"}', 1],
    ['export_manifest_publish_total{result="success"}', 1],
    ['export_attestation_verifications_total{result="success"}', 1],
    ['export_attestation_verifications_total{result="failed"}', 1],
    ['export_attestation_failures_total{reason="subject_mismatch"}', 1],
    ['export_readiness_check_up{check="storage:write"}', 1],
    ['export_readiness_check_warning{check="storage:write"}', 1],
    ['export_readiness_check_up{check="lock:held"}', 0],
    ['export_readiness_check_warning{check="lock:held"}', 0],
    ["export_storage_free_bytes", 5],
    ["export_storage_size_bytes", 9],
    [`export_build_info{version="0.1.0",commit="${"f".repeat(40)}",bundle_schema="1"}`, 1],
    ["process_start_time_seconds", 1_767_225_600],
    ["process_cpu_seconds_total", 1.5],
    ["process_resident_memory_bytes", 4096],
  ];
  for (const [name, value] of expected) assert.equal(found.get(name), value, name);
});

Deno.test("an unlisted reason adds no series", async () => {
  const all = metrics();
  const before = (await series(all)).size;
  for (const reason of ["trailing_data", "attestation_missing", undefined]) {
    all.verified("failed", reason);
  }
  const found = await series(all);
  assert.equal(found.size, before);
  assert.equal(found.get('export_attestation_failures_total{reason="digest_mismatch"}'), 1);
  assert.equal(found.get('export_attestation_failures_total{reason="malformed"}'), 2);
});

Deno.test("an unconfigured profile adds no series", async () => {
  const all = metrics();
  const before = (await series(all)).size;
  for (let n = 0; n < 1000; n++) {
    all.jobFinished({ profile: `p${n}`, result: "success", seconds: 1 });
    all.bundleMade({ profile: `p${n}`, bytes: 1 });
    all.pushed({ profile: `p${n}`, result: "success", seconds: 1 });
  }
  assert.equal((await series(all)).size, before);
});

Deno.test("an invalid value is a fault and does not throw in the job", async () => {
  const faults: unknown[] = [];
  const all = metrics({ onFault: (error) => faults.push(error) });
  all.jobFinished({ profile: "kit", result: "failed", seconds: NaN });
  all.storage({ free: NaN, size: "x" as unknown as number });
  assert.match(String(faults[0]), /not a valid number/);
  assert.equal(faults.length, 2);
  assert.equal((await series(all)).get('export_jobs_total{profile="kit",result="failed"}'), 1);
});

Deno.test("queue metrics are read at each scrape, in seconds, and a failing queue does not fail the scrape", async () => {
  let queued = 3;
  const faults: unknown[] = [];
  const all = metrics({
    queue: () => {
      if (queued < 0) throw new Error("database closed");
      const oldestRunningAt = new Map([["kit", 7_500]]);
      return { queued, running: 1, oldestQueuedAt: 2_500, oldestRunningAt };
    },
    onFault: (error) => faults.push(error),
  });
  const found = await series(all);
  assert.equal(found.get("export_queue_depth"), 3);
  assert.equal(found.get("export_jobs_running"), 1);
  assert.equal(found.get("export_queue_oldest_job_timestamp_seconds"), 2.5);
  assert.equal(found.get('export_running_oldest_job_start_timestamp_seconds{profile="kit"}'), 7.5);
  queued = 0;
  assert.equal((await series(all)).get("export_queue_depth"), 0);
  queued = -1;
  assert.equal((await series(all)).get("export_queue_depth"), 0);
  assert.equal(faults.length, 1);
});

Deno.test("a scrape has the classic text format's exact content type, which Prometheus 3 requires", async () => {
  const { contentType } = await metrics().scrape();
  assert.equal(contentType, "text/plain; version=0.0.4; charset=utf-8");
});

Deno.test("a profile costs less than 70 series, so that fifty of them stay below 5,000", async () => {
  const profiles = Array.from({ length: 11 }, (_, n) => ({ name: `p${n}` }));
  const one = (await series(metrics({ profiles: profiles.slice(0, 1) }))).size;
  const eleven = (await series(metrics({ profiles }))).size;
  assert.ok((eleven - one) / 10 < 70, `${(eleven - one) / 10} series`);
});

Deno.test(requiring(["promtool"], "promtool reports no problems with the metrics", async () => {
  const { body } = await metrics().scrape();
  const child = new Deno.Command(tool("promtool")!, {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(body));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.deepEqual([code, printed], [0, ""]);
}));

import assert from "node:assert/strict";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { requiring, tool } from "../support/needs.ts";

function metricsOf(profiles: number): Metrics {
  const names = Array.from({ length: profiles }, (_, at) => `profile-${at}`);
  return new Metrics({
    profiles: names.map((name) => ({ name, slaSeconds: 900 })),
    build: { version: "0.1.0", commit: "f".repeat(40), bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 1, cpuSeconds: 1.5, residentBytes: 4096 }),
    onFault: (error) => assert.fail(String(error)),
  });
}

const exportId = "019b76da-a800-7000-8000-000000000000";

Deno.test("OpenMetrics has exemplars and ends with EOF, the classic text has neither", async () => {
  const metrics = metricsOf(1);
  metrics.jobFinished({ profile: "profile-0", result: "success", seconds: 3, exportId, at: 5_000 });
  const open = await metrics.scrape(true);
  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  const line = open.body.split("\n").find((one) => one.includes("# {"));
  assert.match(
    line ?? "",
    /^export_job_duration_seconds_bucket\{le="5",profile="profile-0"\} 1 # \{exportId="019b76da[^"]+"\} 3 [\d.]+$/,
  );
  assert.ok(open.body.endsWith("\n# EOF\n"));
  assert.match(open.body, /^# TYPE export_jobs counter$/m);
  const classic = await metrics.scrape();
  assert.match(classic.contentType, /^text\/plain; version=0\.0\.4/);
  assert.doesNotMatch(classic.body, /# \{|# EOF|exportId/);
  assert.match(classic.body, /^# TYPE export_jobs_total counter$/m);
  assert.match(classic.body, /^# HELP export_jobs_total \S/m);
});

Deno.test("both formats have the same series and values", async () => {
  const metrics = metricsOf(2);
  metrics.jobFinished({ profile: "profile-1", result: "failed", seconds: 700, exportId });
  metrics.answered("GET", "/status", 200, 0.003);
  const series = (body: string) =>
    body.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.replace(/ # \{.*$/, "")).toSorted();
  const [open, classic] = [await metrics.scrape(true), await metrics.scrape()];
  assert.deepEqual(series(open.body), series(classic.body));
});

Deno.test("fifty profiles are scraped in under 50 ms and stay below 5,000 samples", async () => {
  const metrics = metricsOf(50);
  await metrics.scrape();
  const times = [];
  let samples = 0;
  for (let n = 0; n < 15; n++) {
    const started = performance.now();
    const { body } = await metrics.scrape(n % 2 === 0);
    times.push(performance.now() - started);
    samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  }
  // The fastest run, to exclude delays of a loaded machine.
  const least = Math.min(...times);
  assert.ok(least < 50, `${least.toFixed(1)} ms`);
  assert.ok(samples < 5_000, `${samples} samples`);
});

Deno.test("ten thousand unknown profiles, methods and statuses add no series", async () => {
  const metrics = metricsOf(1);
  const count = async () => (await metrics.scrape()).body.split("\n").length;
  metrics.answered("PROPFIND", "other", 404, 0);
  const before = await count();
  for (let n = 0; n < 10_000; n++) {
    metrics.jobFinished({ profile: `x${n}`, result: "failed", seconds: 1 });
    metrics.answered(`M${n}`, "other", 400 + n % 100, 0);
  }
  assert.equal(await count(), before);
});

Deno.test(
  requiring(["promtool"], "promtool reports no problems with the classic text", async () => {
    const metrics = metricsOf(2);
    metrics.answered("GET", "/status", 200, 0.003);
    metrics.checked("storage:write", "pass", 1);
    const child = new Deno.Command(tool("promtool")!, {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode((await metrics.scrape()).body));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.deepEqual([code, printed], [0, ""]);
  }),
);

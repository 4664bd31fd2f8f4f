/**
 * Terminal output about exports: the table, one export, the newest events and a followed timeline.
 */
import assert from "node:assert/strict";
import type { Host } from "../../src/cli/host.ts";
import { listJobs, showJob } from "../../src/cli/jobs.ts";
import { ageText, durationText, jobsTable } from "../../src/cli/jobs_table.ts";
import { exportFrom, type RemoteExport } from "../../src/cli/remote_export.ts";
import { showTimeline } from "../../src/cli/timeline.ts";
import type { TimelineFlags } from "../../src/cli/timeline_options.ts";
import { serveHttp } from "../../src/http/http_server.ts";
import { Bench } from "./bench.ts";
import { host as quiet } from "../support/quiet_host.ts";

const unknownId = "019b76da-a800-7000-8000-00000000000f";

async function serving(body: (url: string, bench: Bench) => Promise<void>): Promise<void> {
  using bench = new Bench();
  const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 });
  try {
    await body(server.url, bench);
  } finally {
    bench.feed.close();
    await server.close(100);
  }
}

function remote(more: Partial<RemoteExport> = {}): RemoteExport {
  const id = "019b76da-a800-7000-8000-00000000000a";
  const plain = exportFrom({ id, state: "succeeded", profile: "kit", tenant: "default" });
  assert.ok(plain !== undefined);
  return { ...plain, ...more };
}

const now = 1_767_225_600_000;

Deno.test("the table fits 80 columns, whatever names and errors it holds, and a wider terminal", () => {
  const long = remote({
    state: "cancelled",
    profile: "p".repeat(64),
    tenant: "t".repeat(64),
    seconds: 35_999,
    error: {
      code: "remote",
      message: `\u001b${"m".repeat(200)}`,
      reason: undefined,
      hint: undefined,
      findings: [{
        kind: "usage",
        reason: "input_empty",
        path: "f".repeat(200),
        found: "x",
      }],
    },
  });
  const wide = (columns: number | undefined) =>
    Math.max(...jobsTable([long, remote()], now, columns).split("\n").map((line) => line.length));
  assert.deepEqual([undefined, 40, 80, 120].map(wide), [80, 80, 80, 120]);
  const [head, first] = jobsTable([long, remote()], now, 80).split("\n");
  assert.match(head!, /^ID {36}STATE {6}AGE {2}TOOK {3}PROFILE$/);
  assert.match(first!, /cancelled {2}0s {3}9h59m {2}t+\.\.\.$/);
});

Deno.test("the table shows tenants if there are several", () => {
  const one = jobsTable([remote(), remote()], now, 80);
  assert.match(one, / {2}kit\n.* {2}kit\n$/);
  const two = jobsTable([remote(), remote({ tenant: "lab" })], now, 80);
  assert.match(two, / {2}default\/kit\n.* {2}lab\/kit\n$/);
});

Deno.test("ages have one unit, durations two", () => {
  assert.deepEqual([0, -5, 59, 60, 3_599, 3_600, 86_400, 7_776_000].map(ageText), [
    ...["0s", "0s", "59s", "1m", "59m", "1h", "1d", "90d"],
  ]);
  assert.deepEqual([0, 0.44, 9.96, 59.4, 59.6, 3_599.4, 3_600, 35_999].map(durationText), [
    ...["0.0s", "0.4s", "10s", "59s", "1m0s", "59m59s", "1h0m", "9h59m"],
  ]);
});

Deno.test("one export is shown with its requester, times and outcome", async () => {
  await serving(async (url, bench) => {
    const asked = { tenant: "default", profile: "kit", request: {}, trigger: "cli", actor: "ci" };
    const { job } = bench.queue.enqueue({ ...asked, trigger: "cli" });
    const claimed = bench.queue.claim()!;
    bench.now += 12_000;
    const outcome = { bundleDigest: "d".repeat(64), bytes: 2_048, files: 3 };
    bench.queue.finish(claimed, { state: "succeeded", ...outcome });
    const { code = 0, text, json } = await showJob(job.id, { server: url }, quiet);
    assert.equal(code, 0);
    assert.equal(
      text,
      [
        `${job.id}  succeeded`,
        "  profile   kit",
        "  tenant    default",
        "  asked by  ci (cli)",
        "  created   2026-01-01T00:00:00.000Z",
        "  started   2026-01-01T00:00:00.000Z",
        "  ended     2026-01-01T00:00:12.000Z",
        "  took      12s",
        "  attempts  1",
        "  payload   3 files",
        "  bundle    2.00 KiB",
        `  digest    sha256:${"d".repeat(64)}`,
        "",
      ].join("\n"),
    );
    assert.equal((json as { export: { actor: string } }).export.actor, "ci");
    const { text: table } = await listJobs({ server: url, limit: "50" }, {
      ...quiet,
      now: () => now + 90_000,
    });
    assert.match(table, /succeeded {2}1m {3}12s {3}kit\n$/);
    await assert.rejects(showJob(unknownId, { server: url }, quiet), {
      kind: "not_found",
      hint: /stella jobs list/,
    });
  });
});

/** Three events of one export. */
function fill(bench: Bench) {
  const of = {
    exportId: "019b76da-a800-7000-8000-00000000000a",
    tenant: "default",
    profile: "kit",
  };
  return { of, events: ["queued", "started", "read"].map((one) => bench.timeline.add(of, one)) };
}

const stagesOf = (text: string) => [...text.matchAll(/kit {2}(\w+)/g)].map(([, stage]) => stage);

Deno.test("the newest events are listed in chronological order, with the command for earlier ones", async () => {
  await serving(async (url, bench) => {
    const { events, of } = fill(bench);
    const newest = { server: url, newest: true, limit: "2" };
    const last = await showTimeline(undefined, newest, quiet);
    assert.deepEqual(stagesOf(last.text), ["started", "read"]);
    assert.match(last.text, new RegExp(`\nmore: --newest --before ${events[1]!.id}\n$`));
    const before = await showTimeline(undefined, { ...newest, before: events[1]!.id }, quiet);
    assert.deepEqual(stagesOf(before.text), ["queued"]);
    // Of one export, the columns that are the same in every line are left out.
    const one = await showTimeline(of.exportId, { server: url, limit: "9" }, quiet);
    assert.match(one.text, /^2026-01-01T00:00:00\.000Z {2}queued\n/);
    await assert.rejects(showTimeline(unknownId, { server: url, limit: "9" }, quiet), {
      kind: "not_found",
    });
  });
});

Deno.test("seconds are shown to the millisecond", async () => {
  await serving(async (url, bench) => {
    const { of } = fill(bench);
    bench.timeline.add(of, "succeeded", { seconds: 0.5189234889999997 });
    const { text } = await showTimeline(of.exportId, { server: url, limit: "9" }, quiet);
    assert.match(text, /succeeded {2}seconds=0\.519\n/);
  });
});

/** A person who reads what a followed timeline writes. */
function reader() {
  let text = "";
  let wake = Promise.withResolvers<void>();
  const stop = new AbortController();
  const host: Host = {
    ...quiet,
    stop: stop.signal,
    stdout: (more: string) => {
      text += more;
      wake.resolve();
      wake = Promise.withResolvers();
    },
  };
  const until = async (word: string) => {
    while (!text.includes(word)) await wake.promise;
    return text;
  };
  return { host, stop, until };
}

Deno.test("timeline --follow runs until it is interrupted", async () => {
  await serving(async (url, bench) => {
    const { of } = fill(bench);
    const { host, stop, until } = reader();
    const options = { server: url, newest: true, follow: true, limit: "1" };
    const following = showTimeline(undefined, options, host, 5);
    await until("read");
    bench.timeline.add(of, "sign");
    bench.timeline.add({ ...of, exportId: unknownId }, "queued");
    const text = await until("queued");
    assert.deepEqual(stagesOf(text), ["read", "sign", "queued"], "each once");
    stop.abort();
    await assert.rejects(following, { kind: "interrupted" });
  });
});

Deno.test("timeline --follow of one export ends with the export, also after a retry", async () => {
  await serving(async (url, bench) => {
    const { of } = fill(bench);
    bench.timeline.add(of, "failed");
    bench.timeline.add(of, "queued");
    const { host, until } = reader();
    const following = showTimeline(of.exportId, { server: url, follow: true, limit: "2" }, host, 5);
    await until("queued\n2026-01-01T00:00:00.000Z  started");
    bench.timeline.add(of, "succeeded");
    assert.equal((await following).code ?? 0, 0);
    await until("succeeded");
  });
});

Deno.test("timeline --follow with --json is refused: its output has no end", async () => {
  const options: TimelineFlags = { server: "http://127.0.0.1:1", follow: true, limit: "9" };
  for (const more of [{ json: true }, { event: unknownId }]) {
    await assert.rejects(showTimeline(undefined, { ...options, ...more }, quiet), {
      kind: "usage",
    });
  }
});

/** Throttled progress still reports its last event. */
import assert from "node:assert/strict";
import type { Profile } from "../../src/config/profile.ts";
import type { ExportJob, JobReport } from "../../src/export/stored_export.ts";
import { runInWorker } from "../../src/jobs/worker_host.ts";
import { EventThrottle } from "../../src/service/event_throttle.ts";
import type { WorkerEvent } from "../../src/service/export_worker.ts";

type Stage = Extract<WorkerEvent, { kind: "progress" }>["stage"];

Deno.test("the last progress event of a stage is held back, and sent before any other event", () => {
  const reported: string[] = [];
  let now = 0;
  const throttle = new EventThrottle<WorkerEvent>((event) => {
    reported.push(event.kind === "progress" ? `${event.stage} ${event.done}` : event.kind);
  }, () => now);
  const progress = (stage: Stage, done: number) =>
    throttle.emit({ kind: "progress", stage, done, total: 9 });
  progress("read", 1);
  progress("read", 2);
  progress("read", 3);
  now = 150;
  progress("read", 4);
  progress("read", 5);
  progress("verify", 1);
  progress("verify", 9);
  throttle.emit({ kind: "stage", stage: "store" } as unknown as WorkerEvent);
  throttle.flush();
  progress("read", 8);
  progress("read", 9);
  throttle.flush();
  throttle.flush();
  const expected = [
    "read 1",
    "read 4",
    "read 5",
    "verify 1",
    "verify 9",
    "stage",
    "read 8",
    "read 9",
  ];
  assert.deepEqual(reported, expected);
});

Deno.test("a worker that reports 20,000 files sends the first and the last of them", async () => {
  const profile: Profile = {
    name: "p",
    kind: "kit",
    sources: [],
    compression: "zstd",
    targets: [],
  };
  const privatePlaces = { files: [], directories: [] };
  const egress = { sealed: false, allow: [] };
  const request = { profile, tenant: "default", registries: [], egress, privatePlaces };
  const reported: WorkerEvent[] = [];
  const report = await runInWorker<ExportJob, WorkerEvent, JobReport>({
    url: new URL("./many_events.ts", import.meta.url).href,
    job: { exportId: "1", state: "/nonexistent", request },
    onEvent: (event) => reported.push(event),
    signal: new AbortController().signal,
  });
  const total = report.payload.files;
  // Counted first: the difference between long lists takes minutes to write.
  assert.equal(reported.length, 2);
  assert.deepEqual(reported, [
    { kind: "progress", stage: "read", done: 1, total },
    { kind: "progress", stage: "read", done: total, total },
  ]);
});

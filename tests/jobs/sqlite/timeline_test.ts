import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../../../src/jobs/sqlite/database.ts";
import { timelineWatcher, watchedBy } from "../../../src/jobs/export_timeline.ts";
import type { Database } from "../../../src/jobs/sqlite/sql.ts";
import { SqliteTimeline } from "../../../src/jobs/sqlite/timeline.ts";

const start = 1_767_225_600_000;
const day = 86_400_000;

class Bench {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-timeline-" });
  readonly db: Database;
  now = start;
  timeline: SqliteTimeline;

  constructor() {
    this.db = openDatabase(join(this.directory, "stella.db"));
    this.timeline = this.open();
  }

  open(): SqliteTimeline {
    const random = (bytes: Uint8Array) => bytes.fill(9);
    return new SqliteTimeline(this.db, { now: () => this.now, random, keep: 30 * day });
  }

  [Symbol.dispose](): void {
    this.db.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const a = { exportId: "export-a", tenant: "default", profile: "kit" };
const b = { exportId: "export-b", tenant: "lab", profile: "kit" };

Deno.test("events come back in the order in which they were added, within one millisecond too", () => {
  using bench = new Bench();
  const added = Array.from({ length: 5000 }, (_, i) => bench.timeline.add(a, `step-${i}`).id);
  assert.deepEqual(added, added.toSorted());
  assert.equal(new Set(added).size, 5000);
  const stages = bench.timeline.list({ tenant: "default", limit: 5000 }).map((one) => one.stage);
  assert.deepEqual(stages, added.map((_, i) => `step-${i}`));
});

Deno.test("a clock that was set back, and a new start, do not change the order", () => {
  using bench = new Bench();
  const first = bench.timeline.add(a, "first");
  bench.now -= 3_600_000;
  const second = bench.timeline.add(a, "second");
  const third = bench.open().add(a, "third");
  assert.ok(first.id < second.id && second.id < third.id);
  assert.equal(third.time, start - 3_600_000, "the time is what the clock said");
});

Deno.test("pages continue after the last id, even if that event was removed", () => {
  using bench = new Bench();
  const ids = ["1", "2", "3", "4"].map((stage) => bench.timeline.add(a, stage).id);
  const page = (after?: string) =>
    bench.timeline.list({ tenant: "default", limit: 2, ...(after ? { after } : {}) })
      .map((one) => one.stage);
  assert.deepEqual(page(), ["1", "2"]);
  assert.deepEqual(page(ids[1]), ["3", "4"]);
  bench.db.run("DELETE FROM events WHERE id = ?", [ids[1]!]);
  assert.deepEqual(page(ids[1]), ["3", "4"]);
  assert.deepEqual(page(ids[3]), []);
});

Deno.test("newest first, pages continue before the last id", () => {
  using bench = new Bench();
  const ids = ["1", "2", "3", "4", "5"].map((stage) => bench.timeline.add(a, stage).id);
  bench.timeline.add(b, "foreign");
  const page = (bounds: { before?: string; after?: string }) =>
    bench.timeline.list({ tenant: "default", first: "newest", limit: 2, ...bounds })
      .map((one) => one.stage);
  assert.deepEqual(page({}), ["5", "4"]);
  assert.deepEqual(page({ before: ids[3]! }), ["3", "2"]);
  assert.deepEqual(page({ before: ids[3]!, after: ids[1]! }), ["3"]);
});

Deno.test("a tenant sees only its own events with any query", () => {
  using bench = new Bench();
  const own = bench.timeline.add(a, "queued", { n: 1 });
  const foreign = bench.timeline.add(b, "queued");
  assert.deepEqual(bench.timeline.get(own.id, "default"), own);
  assert.equal(bench.timeline.get(foreign.id, "default"), undefined);
  assert.deepEqual(bench.timeline.list({ tenant: "default", limit: 9 }), [own]);
  assert.deepEqual(
    bench.timeline.list({ tenant: "default", exportId: "export-b", limit: 9 }),
    [],
  );
  assert.deepEqual(bench.timeline.list({ tenant: "lab", after: own.id, limit: 9 }), [foreign]);
});

Deno.test("events are removed after their retention and not before", () => {
  using bench = new Bench();
  bench.timeline.add(a, "old");
  bench.now = start + 29 * day;
  bench.timeline.add(a, "young");
  bench.timeline.prune();
  assert.equal(bench.timeline.list({ tenant: "default", limit: 9 }).length, 2);
  bench.now = start + 31 * day;
  const stages = bench.open().list({ tenant: "default", limit: 9 }).map((one) => one.stage);
  assert.deepEqual(stages, ["young"], "a new start prunes");
});

Deno.test("an export records each step once and forwards every event", () => {
  using bench = new Bench();
  const reported: string[] = [];
  const watcher = watchedBy(
    {
      queued: () => void reported.push("queued"),
      started: () => void reported.push("started"),
      deferred: () => void reported.push("deferred"),
      lost: () => void reported.push("lost"),
      onEvent: (event: { kind: string; stage?: string }) => void reported.push(event.kind),
      made: () => void reported.push("made"),
      ended: () => void reported.push("ended"),
    },
    timelineWatcher(
      { ...a, trigger: "cli", actor: "ci" },
      bench.timeline,
      (error) => assert.fail(String(error)),
    ),
  );
  watcher.queued();
  watcher.started(1);
  for (const stage of ["plan", "read", "read", "read", "sign"]) {
    watcher.onEvent({ kind: "progress", stage });
  }
  watcher.onEvent({ kind: "refused", destination: "registry.site:443" } as never);
  watcher.made(10, { osv: 2 }, undefined, 4);
  const error = { code: "usage", message: "no" };
  watcher.ended({ state: "failed", error }, 1.5);
  const events = bench.timeline.list({ tenant: "default", limit: 99 });
  assert.deepEqual(events.map((one) => [one.stage, one.attributes]), [
    ["queued", { trigger: "cli", actor: "ci" }],
    ["started", { attempt: 1 }],
    ["plan", {}],
    ["read", {}],
    ["sign", {}],
    ["refused", { destination: "registry.site:443" }],
    ["made", { bytes: 10, artifacts: { osv: 2 }, emptyDirectoryCount: 4 }],
    ["failed", { seconds: 1.5, error }],
  ]);
  assert.equal(reported.length, 10, "nothing is swallowed");
});

Deno.test("a timeline that cannot be written is a fault and does not end the export", () => {
  const faults: unknown[] = [];
  const broken = {
    add: () => {
      throw new Error("disk is full");
    },
  };
  let queued = 0;
  const watcher = watchedBy(
    timelineWatcher(a, broken, (error) => faults.push(error)),
    {
      queued: () => void queued++,
      started() {},
      deferred() {},
      lost() {},
      onEvent() {},
      made() {},
      ended() {},
    },
  );
  watcher.queued();
  assert.equal(queued, 1);
  assert.match(String(faults[0]), /disk is full/);
});

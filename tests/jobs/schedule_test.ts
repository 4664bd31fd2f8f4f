import assert from "node:assert/strict";
import { join } from "node:path";
import type { Job } from "../../src/jobs/job.ts";
import { SqliteQueue } from "../../src/jobs/sqlite/queue.ts";
import { SqliteScheduleRuns } from "../../src/jobs/sqlite/schedule_runs.ts";
import type { ScheduledRun } from "../../src/domain/labels.ts";
import { type Schedule, Scheduler } from "../../src/jobs/schedule.ts";

const nightly: Schedule = { profile: "p", tenant: "lab", cron: "0 3 * * *", zone: "UTC" };

/** A scheduler on a real queue, with a clock that a test sets. */
class Bench {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-schedule-" });
  readonly queued: Job[] = [];
  readonly runs: ScheduledRun[] = [];
  /** When the profile is due next, and since when two of its runs were. */
  times: (number | undefined)[] = [];
  now = 0;
  readonly queue: SqliteQueue;

  constructor(at: string) {
    this.set(at);
    let ids = 0;
    this.queue = new SqliteQueue(join(this.directory, "stella.db"), {
      now: () => this.now,
      newId: () => `job-${++ids}`,
    });
  }

  set(at: string): void {
    this.now = Date.parse(at);
  }

  scheduler(schedules = [nightly]): Scheduler {
    return new Scheduler({
      schedules,
      queue: this.queue,
      runs: new SqliteScheduleRuns(this.queue.database),
      now: () => this.now,
      onQueued: (job) => this.queued.push(job),
      onTimes: (_, next, stale) => this.times = [next, stale],
      onRun: ({ profile }, result) => (assert.equal(profile, "p"), this.runs.push(result)),
      onFault: (error) => assert.fail(String(error)),
    });
  }

  end(): void {
    this.queue.finish(this.queue.claim()!, { state: "succeeded" });
  }

  [Symbol.dispose](): void {
    this.queue.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("a due export is queued once, for its tenant", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  const scheduler = bench.scheduler();
  scheduler.tick();
  for (const at of ["2026-01-01T20:00:00Z", "2026-01-02T02:59:59.999Z"]) {
    bench.set(at);
    scheduler.tick();
  }
  assert.deepEqual(bench.queued, [], "a first start is no missed run");
  for (const at of ["2026-01-02T03:00:00Z", "2026-01-02T03:00:00.500Z", "2026-01-02T10:00:00Z"]) {
    bench.set(at);
    scheduler.tick();
  }
  assert.deepEqual(bench.queued.map(({ profile, tenant }) => [profile, tenant]), [["p", "lab"]]);
  assert.deepEqual(bench.runs, ["queued"]);
  assert.equal(scheduler.next(nightly), Date.parse("2026-01-03T03:00:00Z"));
});

Deno.test("runs missed while the service was down are made up by one run", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  bench.scheduler().tick();
  bench.set("2026-01-09T12:00:00Z");
  const after = bench.scheduler();
  after.tick();
  after.tick();
  assert.equal(bench.queued.length, 1);
  bench.end();
  bench.set("2026-01-10T03:00:00Z");
  after.tick();
  assert.equal(bench.queued.length, 2);
  assert.deepEqual(bench.runs, ["late", "queued"]);
});

Deno.test("a schedule that was removed and added again has no missed runs", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  bench.scheduler().tick();
  bench.set("2026-01-05T12:00:00Z");
  bench.scheduler([{ ...nightly, profile: "q" }]).tick();
  bench.set("2026-01-09T12:00:00Z");
  bench.scheduler().tick();
  assert.deepEqual(bench.queued, []);
  bench.set("2026-01-10T03:00:00Z");
  bench.scheduler().tick();
  assert.deepEqual(bench.runs, ["queued"]);
});

Deno.test("a crash between queueing and recording a run does not queue it twice", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  bench.scheduler().tick();
  bench.set("2026-01-02T03:00:00Z");
  bench.scheduler().tick();
  bench.end();
  bench.queue.database.run("UPDATE schedules SET last = ?", [Date.parse("2026-01-01T12:00:00Z")]);
  bench.scheduler().tick();
  assert.equal(bench.queued.length, 1);
  assert.equal(bench.queue.claim(), undefined);
});

Deno.test("an unfinished export is not queued again, and the skip is logged", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  const scheduler = bench.scheduler();
  scheduler.tick();
  bench.set("2026-01-02T03:00:00Z");
  scheduler.tick();
  bench.set("2026-01-03T03:00:00Z");
  scheduler.tick();
  assert.deepEqual([bench.queued.length, bench.runs], [1, ["queued", "skipped"]]);
});

Deno.test("a schedule computes its next run and the time since which two runs were due", () => {
  using bench = new Bench("2026-01-05T03:00:00Z");
  const weekdays = { ...nightly, cron: "0 3 * * 1-5" };
  const scheduler = bench.scheduler([weekdays]);
  scheduler.start();
  scheduler.stop();
  const [tuesday, friday] = ["2026-01-06T03:00:00Z", "2026-01-02T03:00:00Z"].map(Date.parse);
  assert.deepEqual(bench.times, [tuesday, friday]);
});

Deno.test("a run at a time skipped by daylight saving still happens, in the schedule's time zone", () => {
  using bench = new Bench("2026-03-28T12:00:00Z");
  const berlin = { ...nightly, cron: "30 2 * * *", zone: "Europe/Berlin" };
  assert.equal(
    bench.scheduler([berlin]).next(berlin),
    Date.parse("2026-03-29T01:00:00Z"),
    "02:30 does not exist that night: it is run at 03:00",
  );
});

Deno.test("no run is queued twice after the clock was set back", () => {
  using bench = new Bench("2026-01-01T12:00:00Z");
  const scheduler = bench.scheduler();
  scheduler.tick();
  bench.set("2026-01-02T04:00:00Z");
  scheduler.tick();
  bench.end();
  bench.set("2026-01-01T00:00:00Z");
  scheduler.tick();
  bench.set("2026-01-01T04:00:00Z");
  scheduler.tick();
  assert.equal(bench.queued.length, 2, "03:00 of the day that comes again is another run");
});

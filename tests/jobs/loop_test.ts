import assert from "node:assert/strict";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import type { Job, Outcome } from "../../src/jobs/job.ts";
import { Loop, type LoopOptions } from "../../src/jobs/loop.ts";
import { SqliteQueue } from "../../src/jobs/sqlite/queue.ts";
import { Changes } from "../support/changes.ts";

/** A loop over a real queue, and what it reported. */
class Bench {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-loop-" });
  readonly printed: string[] = [];
  readonly ended: { outcome: Outcome; seconds: number }[] = [];
  readonly faults: unknown[] = [];
  now = 5_000;
  elapsed = 0;
  readonly queue: SqliteQueue;
  #waiting: (() => void)[] = [];

  constructor() {
    let ids = 0;
    this.queue = new SqliteQueue(join(this.directory, "stella.db"), {
      now: () => this.now,
      newId: () => `job-${++ids}`,
    });
  }

  loop(work: LoopOptions["work"], more: Partial<LoopOptions> = {}): Loop {
    const loop = new Loop({
      queue: this.queue,
      work,
      now: () => this.now,
      elapsed: () => this.elapsed,
      onStart: (job) => this.printed.push(`start ${job.id}`),
      onEnd: (job, outcome, seconds) => {
        this.printed.push(`${outcome.state} ${job.id}`);
        this.ended.push({ outcome, seconds });
        this.#waiting.splice(0).forEach((resolve) => resolve());
      },
      onFault: (error) => this.faults.push(error),
      pause: 5,
      ...more,
    });
    loop.wake();
    return loop;
  }

  enqueue(): string {
    return this.queue.enqueue({ tenant: "default", profile: "p", request: {} }).job.id;
  }

  /** Until so many jobs have ended. */
  async until(count: number): Promise<void> {
    while (this.ended.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  [Symbol.dispose](): void {
    this.queue.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("jobs run one at a time, in order, and end once", async () => {
  using bench = new Bench();
  let running = 0;
  const work = async (job: Job) => {
    assert.equal(++running, 1, "one at a time");
    // It is counted as running by then, and the loop looks for another one at once.
    await Promise.resolve();
    loop.wake();
    running--;
    return { bundleDigest: `digest of ${job.id}` };
  };
  const loop = bench.loop(work);
  bench.enqueue();
  bench.enqueue();
  loop.wake();
  await bench.until(2);
  await loop.stop(1_000);
  assert.deepEqual(bench.printed, [
    "start job-1",
    "succeeded job-1",
    "start job-2",
    "succeeded job-2",
  ]);
  assert.equal(bench.queue.get("job-2")?.bundleDigest, "digest of job-2");
});

Deno.test("a failed job is recorded with code and hint, a bug as a defect, and the loop continues", async () => {
  using bench = new Bench();
  const errors = [
    new StellaError("unsafe_entry", "Cannot pack", { hint: "rename it" }),
    new Error("bug"),
  ];
  [1, 2, 3].forEach(() => bench.enqueue());
  const loop = bench.loop(() => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve({}) : Promise.reject(error);
  });
  await bench.until(3);
  await loop.stop(1_000);
  assert.deepEqual(bench.ended.map(({ outcome }) => outcome), [
    {
      state: "failed",
      error: {
        code: "unsafe",
        reason: "unsafe_entry",
        message: "Cannot pack",
        hint: "rename it",
      },
    },
    { state: "failed", error: { code: "defect", reason: "defect", message: "bug" } },
    { state: "succeeded" },
  ]);
});

Deno.test("durations use the monotonic clock and include earlier attempts", async () => {
  using bench = new Bench();
  bench.enqueue();
  const first = bench.queue.claim()!;
  assert.equal(first.startedAt, 5_000);
  bench.queue.recover();
  bench.now = 8_000;
  const loop = bench.loop(() => {
    bench.now = -100_000;
    bench.elapsed += 250;
    return Promise.resolve({});
  });
  await bench.until(1);
  await loop.stop(1_000);
  assert.equal(bench.ended[0]?.seconds, 3.25);
});

Deno.test("a job whose lease is lost is aborted, and only its new holder ends it", async () => {
  using bench = new Bench();
  const id = bench.enqueue();
  const lost = Promise.withResolvers<Job>();
  const aborted = Promise.withResolvers<unknown>();
  const work = (_: Job, signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.resolve(signal.reason);
        reject(signal.reason);
      });
    });
  const loop = bench.loop(work, { heartbeat: 2, onLost: lost.resolve });
  // Another process takes it over, because no heartbeat came in time.
  const held = bench.queue.heartbeat;
  bench.queue.heartbeat = () => true;
  bench.now += 100_000;
  const other = bench.queue.claim()!;
  assert.deepEqual([other.id, other.attempt], [id, 2]);
  bench.queue.heartbeat = held;
  assert.match(String(await aborted.promise), /its lease was lost/);
  assert.deepEqual((await lost.promise).id, id);
  assert.deepEqual([bench.printed, bench.ended], [[`start ${id}`], []]);
  assert.equal(bench.queue.get(id)?.state, "running");
  assert.equal(bench.queue.finish(other, { state: "succeeded" }), true);
  await loop.stop(1_000);
  assert.equal(bench.queue.get(id)?.state, "succeeded");
});

Deno.test("work that completes after its lease was lost is not counted as an end", async () => {
  using bench = new Bench();
  const id = bench.enqueue();
  const lost = Promise.withResolvers<Job>();
  const { promise, resolve } = Promise.withResolvers<Record<string, never>>();
  const loop = bench.loop(() => promise, { heartbeat: 60_000, onLost: lost.resolve });
  bench.now += 100_000;
  const other = bench.queue.claim()!;
  resolve({});
  assert.equal((await lost.promise).attempt, 1);
  assert.deepEqual(bench.ended, []);
  assert.equal(bench.queue.finish(other, { state: "succeeded" }), true);
  await loop.stop(1_000);
  assert.equal(bench.queue.get(id)?.attempt, 2);
});

Deno.test("a stop waits for the running job and starts no other", async () => {
  using bench = new Bench();
  bench.enqueue();
  bench.enqueue();
  const { promise, resolve } = Promise.withResolvers<Record<string, never>>();
  const loop = bench.loop(() => promise);
  const stopped = loop.stop(60_000);
  resolve({});
  await stopped;
  assert.deepEqual(bench.printed, ["start job-1", "succeeded job-1"]);
  assert.equal(bench.queue.get("job-2")?.state, "queued");
});

Deno.test("a job that does not end in time is queued again, and the attempt does not count", async () => {
  using bench = new Bench();
  bench.enqueue();
  const loop = bench.loop((_, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stop"))))
  );
  await loop.stop(10);
  assert.deepEqual(bench.printed, ["start job-1"]);
  assert.deepEqual([bench.queue.get("job-1")?.state, bench.queue.get("job-1")?.tries], [
    "queued",
    0,
  ]);
});

Deno.test("an end that cannot be written is retried, and no job runs meanwhile", async () => {
  using bench = new Bench();
  bench.enqueue();
  bench.enqueue();
  let full = 3;
  const real = bench.queue.finish.bind(bench.queue);
  bench.queue.finish = (job, outcome) => {
    if (full-- > 0) throw new StellaError("medium_failed", "Cannot write: disk is full");
    return real(job, outcome);
  };
  const loop = bench.loop(() => Promise.resolve({}));
  await bench.until(2);
  await loop.stop(1_000);
  assert.equal(bench.faults.length, 3);
  assert.deepEqual(bench.printed, [
    "start job-1",
    "succeeded job-1",
    "start job-2",
    "succeeded job-2",
  ]);
});

Deno.test("a long job keeps its lease by heartbeats, and a heartbeat that fails is a fault, not an end", async () => {
  using bench = new Bench();
  bench.enqueue();
  let beats = 0;
  const changes = new Changes();
  bench.queue.heartbeat = () => {
    changes.changed();
    if (++beats === 1) throw new StellaError("medium_failed", "Cannot write: disk is full");
    return true;
  };
  const work = async () => {
    await changes.until(() => beats >= 3);
    return {};
  };
  const loop = bench.loop(work, { heartbeat: 2 });
  await bench.until(1);
  await loop.stop(1_000);
  assert.equal(bench.faults.length, 1);
  assert.equal(bench.ended[0]?.outcome.state, "succeeded");
});

Deno.test("at most one job runs for each place, and a free place is filled at once", async () => {
  using bench = new Bench();
  let [running, max] = [0, 0];
  const loop = bench.loop(async () => {
    max = Math.max(max, ++running);
    // It is counted as running by then, and the loop looks for a third one at once.
    await Promise.resolve();
    loop.wake();
    running--;
    return {};
  }, { concurrency: 2, pause: 60_000 });
  [1, 2, 3, 4, 5].forEach(() => bench.enqueue());
  loop.wake();
  await bench.until(5);
  await loop.stop(1_000);
  assert.equal(max, 2);
});

Deno.test("a transient failure is retried with growing waits until the last attempt fails", async () => {
  using bench = new Bench();
  bench.enqueue();
  const waits: number[] = [];
  const loop = bench.loop(() => Promise.reject(new StellaError("rejected", "no answer")), {
    isTransient: (error) => error instanceof StellaError && error.kind === "remote",
    firstWait: 1_000,
    random: () => 0,
    onDefer: (job, error, wait) => {
      assert.equal(error.message, "no answer");
      assert.equal(bench.queue.get(job.id)?.state, "queued");
      waits.push(wait);
      bench.now += wait;
    },
  });
  await bench.until(1);
  await loop.stop(1_000);
  assert.deepEqual(waits, [500, 2_000]);
  assert.deepEqual(bench.printed, ["start job-1", "start job-1", "start job-1", "failed job-1"]);
  assert.equal(bench.queue.get("job-1")?.error?.code, "remote");
});

Deno.test("a job that is cancelled while it runs ends as cancelled, and no other job does", async () => {
  using bench = new Bench();
  const [first, second] = [bench.enqueue(), bench.enqueue()];
  const { promise, resolve } = Promise.withResolvers<Record<string, never>>();
  const loop = bench.loop(
    (job, signal) =>
      job.id === second ? promise : new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("stopped")));
      }),
    { concurrency: 2 },
  );
  bench.queue.cancel(first);
  loop.cancel(first);
  loop.cancel("none");
  await bench.until(1);
  assert.deepEqual(bench.printed.slice(2), [`cancelled ${first}`]);
  resolve({});
  await bench.until(2);
  await loop.stop(1_000);
  assert.deepEqual([first, second].map((id) => bench.queue.get(id)?.state), [
    "cancelled",
    "succeeded",
  ]);
});

Deno.test("a job whose cancellation was requested before its holder died does not run again", async () => {
  using bench = new Bench();
  const id = bench.enqueue();
  bench.queue.claim();
  bench.queue.cancel(id);
  bench.now += 60_000;
  const loop = bench.loop((_, signal) => {
    signal.throwIfAborted();
    return Promise.resolve({});
  });
  await bench.until(1);
  await loop.stop(1_000);
  assert.deepEqual(bench.printed, [`start ${id}`, `cancelled ${id}`]);
});

Deno.test("a lease that expired while the process was suspended is not claimed by its other place", async () => {
  using bench = new Bench();
  bench.enqueue();
  const { promise, resolve } = Promise.withResolvers<Record<string, never>>();
  const loop = bench.loop(() => promise, { concurrency: 2 });
  bench.now += 90_000;
  // The loop takes a job for its other place before this returns, or not at all.
  loop.wake();
  assert.deepEqual(bench.printed, ["start job-1"]);
  resolve({});
  await bench.until(1);
  await loop.stop(1_000);
  assert.deepEqual(bench.printed, ["start job-1", "succeeded job-1"]);
});

Deno.test("no job starts while starts are suspended, and all start afterwards", async () => {
  using bench = new Bench();
  let asked = 0;
  const loop = bench.loop(() => Promise.resolve({}), { mayStart: () => ++asked > 3 });
  bench.enqueue();
  loop.wake();
  assert.deepEqual(bench.printed, []);
  await bench.until(1);
  await loop.stop(1_000);
  assert.deepEqual(bench.printed, ["start job-1", "succeeded job-1"]);
  assert.ok(asked > 3, "it is asked each time");
});

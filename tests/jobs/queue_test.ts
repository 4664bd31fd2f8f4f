import assert from "node:assert/strict";
import { join } from "node:path";
import type { Job } from "../../src/jobs/job.ts";
import { mostAttempts, Queue } from "../../src/jobs/queue.ts";
import { StellaError } from "../../src/errors.ts";

/** A queue in a directory of its own, with a clock that a test sets. */
class Bench {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-queue-" });
  now = 1_000;
  #ids = 0;
  queue = this.#open();

  #open(): Queue {
    return new Queue(join(this.directory, "stella.db"), {
      now: () => this.now,
      newId: () => `job-${++this.#ids}`,
      lease: 100,
    });
  }

  /** As after the death of the process: the file is all that is left. */
  reopen(): void {
    this.queue.close();
    this.queue = this.#open();
  }

  enqueue(profile = "p", tenant = "default", idempotencyKey?: string): Job {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey };
    return this.queue.enqueue({ tenant, profile, request: { layout: "archive" }, ...key }).job;
  }

  claim(): Job {
    const job = this.queue.claim();
    assert.ok(job, "there is a job");
    return job;
  }

  [Symbol.dispose](): void {
    this.queue.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("a job that was accepted is there after a restart, with all that was asked", () => {
  using bench = new Bench();
  const { id } = bench.enqueue("advisories", "lab");
  bench.reopen();
  assert.deepEqual(bench.queue.get(id), {
    id,
    tenant: "lab",
    profile: "advisories",
    request: { layout: "archive" },
    state: "queued",
    attempt: 0,
    createdAt: 1_000,
  });
  assert.equal(bench.queue.get("job-9"), undefined);
});

Deno.test("jobs are claimed in the order of their arrival, each once", () => {
  using bench = new Bench();
  const ids = ["a", "b", "c"].map((profile) => bench.enqueue(profile).id);
  assert.deepEqual([bench.claim(), bench.claim(), bench.claim()].map((job) => job.id), ids);
  assert.equal(bench.queue.claim(), undefined);
});

Deno.test("a job ends once, with its outcome", () => {
  using bench = new Bench();
  bench.enqueue();
  bench.now = 2_000;
  const job = bench.claim();
  assert.deepEqual([job.state, job.attempt, job.startedAt], ["running", 1, 2_000]);
  bench.now = 2_050;
  assert.equal(bench.queue.finish(job, { state: "succeeded", bundleDigest: "d" }), true);
  assert.equal(bench.queue.finish(job, { state: "failed" }), false);
  const ended = bench.queue.get(job.id);
  assert.deepEqual(
    [ended?.state, ended?.startedAt, ended?.finishedAt, ended?.bundleDigest],
    ["succeeded", 2_000, 2_050, "d"],
  );
});

Deno.test("a failure keeps code, message and hint", () => {
  using bench = new Bench();
  bench.enqueue();
  const error = { code: "unsafe", message: "Cannot pack", hint: "rename it" };
  const job = bench.claim();
  bench.queue.finish(job, { state: "failed", error });
  assert.deepEqual(bench.queue.get(job.id)?.error, error);
});

Deno.test("a lease that runs out gives the job away, and its first holder cannot finish it any more", () => {
  using bench = new Bench();
  bench.enqueue();
  const first = bench.claim();
  bench.now += 99;
  assert.equal(bench.queue.claim(), undefined, "still leased");
  bench.now += 1;
  const second = bench.claim();
  assert.deepEqual([second.id, second.attempt], [first.id, 2]);
  assert.equal(bench.queue.finish(first, { state: "succeeded" }), false);
  assert.equal(bench.queue.heartbeat(first), false);
  assert.equal(bench.queue.finish(second, { state: "succeeded" }), true);
});

Deno.test("a heartbeat keeps the lease", () => {
  using bench = new Bench();
  bench.enqueue();
  const job = bench.claim();
  bench.now += 90;
  assert.equal(bench.queue.heartbeat(job), true);
  bench.now += 90;
  assert.equal(bench.queue.claim(), undefined);
});

Deno.test("a released job waits again, and the attempt does not count", () => {
  using bench = new Bench();
  bench.enqueue();
  assert.equal(bench.queue.release(bench.claim()), true);
  assert.equal(bench.claim().attempt, 1);
});

Deno.test("after a death the running job waits again at once, the third time it is given up", () => {
  using bench = new Bench();
  const { id } = bench.enqueue();
  for (let attempt = 1; attempt < mostAttempts; attempt++) {
    assert.equal(bench.claim().attempt, attempt);
    bench.reopen();
    assert.equal(bench.queue.recover().again.length, 1);
    assert.equal(bench.queue.get(id)?.state, "queued");
  }
  bench.claim();
  bench.reopen();
  const { again, givenUp } = bench.queue.recover();
  assert.deepEqual([again.length, givenUp.map((job) => job.id)], [0, [id]]);
  const job = bench.queue.get(id);
  assert.equal(job?.state, "failed");
  assert.match(job?.error?.message ?? "", /ended 3 times/);
});

Deno.test("an idempotency key gives the job that stands, within its tenant", () => {
  using bench = new Bench();
  const first = bench.enqueue("p", "default", "key");
  const again = bench.queue.enqueue({
    tenant: "default",
    profile: "p",
    request: { layout: "archive" },
    idempotencyKey: "key",
  });
  assert.deepEqual([again.isNew, again.job.id], [false, first.id]);
  assert.notEqual(bench.enqueue("p", "lab", "key").id, first.id);
  assert.notEqual(bench.enqueue("p", "default").id, first.id);
});

Deno.test("an idempotency key for another request is refused", () => {
  using bench = new Bench();
  bench.enqueue("p", "default", "key");
  const other = { tenant: "default", profile: "q", request: {}, idempotencyKey: "key" };
  assert.throws(() => bench.queue.enqueue(other), (error) => {
    assert.ok(error instanceof StellaError);
    assert.equal(error.findings[0]?.reason, "idempotency_key_reused");
    return true;
  });
  assert.equal(bench.queue.figures().queued, 1);
});

Deno.test("lists are newest first, filtered, and continue after a cursor", () => {
  using bench = new Bench();
  const ids = [["a", "x"], ["b", "x"], ["a", "y"], ["a", "x"]]
    .map(([profile, tenant]) => bench.enqueue(profile, tenant).id);
  const list = (filter: Parameters<Queue["list"]>[0]) =>
    bench.queue.list(filter).map((job) => ids.indexOf(job.id));
  assert.deepEqual(list({ limit: 9 }), [3, 2, 1, 0]);
  assert.deepEqual(list({ limit: 2 }), [3, 2]);
  assert.deepEqual(list({ limit: 2, before: ids[2]! }), [1, 0]);
  assert.deepEqual(list({ limit: 9, tenant: "x", profile: "a" }), [3, 0]);
  assert.deepEqual(list({ limit: 9, state: "running" }), []);
  bench.claim();
  assert.deepEqual(list({ limit: 9, state: "running" }), [0]);
  assert.throws(() => list({ limit: 9, before: "none" }), { code: "usage", message: /cursor/ });
});

Deno.test("the figures tell what waits and what runs, and since when", () => {
  using bench = new Bench();
  assert.deepEqual(bench.queue.figures(), {
    queued: 0,
    running: 0,
    oldestQueuedAt: undefined,
    oldestRunningAt: new Map(),
  });
  for (const profile of ["a", "a", "b", "b"]) {
    bench.enqueue(profile);
    bench.now += 10;
  }
  bench.claim();
  bench.queue.finish(bench.claim(), { state: "cancelled" });
  assert.deepEqual(bench.queue.figures(), {
    queued: 2,
    running: 1,
    oldestQueuedAt: 1_020,
    oldestRunningAt: new Map([["a", 1_040]]),
  });
});

/** The contract of a queue (src/jobs/job_queue.ts), tested with each implementation. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import type { Job } from "../../src/jobs/job.ts";
import { type JobQueue, maxAttempts, maxWait } from "../../src/jobs/job_queue.ts";
import { SqliteQueue } from "../../src/jobs/sqlite/queue.ts";
import { MemoryQueue } from "./memory_queue.ts";

/** A queue with a clock that a test sets. */
class Bench {
  now = 1_000_000;
  #ids = 0;
  readonly queue: JobQueue;
  readonly #directory: string | undefined;

  constructor(kind: "memory" | "sqlite") {
    const options = { now: () => this.now, newId: () => `job-${++this.#ids}`, lease: 100 };
    this.#directory = kind === "memory"
      ? undefined
      : Deno.makeTempDirSync({ prefix: "stella-queue-" });
    this.queue = this.#directory === undefined
      ? new MemoryQueue(options)
      : new SqliteQueue(join(this.#directory, "stella.db"), options);
  }

  enqueue(profile = "p", tenant = "default", idempotencyKey?: string): Job {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey };
    return this.queue.enqueue({ tenant, profile, request: { layout: "archive" }, ...key }).job;
  }

  claim(held?: Set<string>): Job {
    const job = this.queue.claim(held);
    assert.ok(job, "there is a job");
    return job;
  }

  [Symbol.dispose](): void {
    this.queue.close();
    if (this.#directory !== undefined) Deno.removeSync(this.#directory, { recursive: true });
  }
}

function contract(name: string, body: (bench: Bench) => void): void {
  for (const kind of ["sqlite", "memory"] as const) {
    Deno.test(`${kind} queue: ${name}`, () => {
      using bench = new Bench(kind);
      body(bench);
    });
  }
}

const error = { code: "remote", message: "no answer", hint: "look at it" };

contract("an enqueued job has all options of its request", ({ queue }) => {
  const { job } = queue.enqueue({
    tenant: "lab",
    profile: "advisories",
    request: { layout: "archive" },
    trigger: "cli",
    actor: "ci",
    traceparent: "00-a-b-01",
  });
  assert.deepEqual(queue.get(job.id), {
    id: job.id,
    tenant: "lab",
    profile: "advisories",
    request: { layout: "archive" },
    state: "queued",
    trigger: "cli",
    actor: "ci",
    attempt: 0,
    tries: 0,
    createdAt: 1_000_000,
    traceparent: "00-a-b-01",
  });
  assert.equal(queue.get("job-9"), undefined);
});

contract(
  "a job has the size of its bundle, or the id of the earlier export that it equals",
  (bench) => {
    const { queue } = bench;
    const first = bench.enqueue();
    const made = { bundleDigest: "d", bytes: 5, files: 2 };
    queue.finish(bench.claim(), { state: "succeeded", ...made });
    const second = bench.enqueue();
    bench.now += 50;
    queue.finish(bench.claim(), { state: "succeeded", ...made, sameAs: first.id });
    const { bytes, files, sameAs } = queue.get(second.id) ?? {};
    assert.deepEqual({ bytes, files, sameAs }, { bytes: 5, files: 2, sameAs: first.id });
    assert.deepEqual(queue.made("p").map(({ id, confirmedAt }) => [id, confirmedAt]), [
      [first.id, bench.now],
    ]);
  },
);

contract("a holder cannot confirm a bundle of another holder's job", (bench) => {
  const { queue } = bench;
  const first = bench.enqueue();
  queue.finish(bench.claim(), { state: "succeeded" });
  bench.enqueue();
  const old = bench.claim();
  bench.now += 200;
  bench.claim();
  assert.equal(queue.finish(old, { state: "succeeded", sameAs: first.id }), false);
  assert.equal(queue.get(first.id)?.confirmedAt, undefined);
});

contract("jobs of one tenant are claimed in the order of their arrival, each once", (bench) => {
  const ids = ["a", "b", "c"].map((profile) => bench.enqueue(profile).id);
  assert.deepEqual([bench.claim(), bench.claim(), bench.claim()].map((job) => job.id), ids);
  assert.equal(bench.queue.claim(), undefined);
});

contract("tenants take turns, however many jobs one of them has queued", (bench) => {
  for (let n = 0; n < 5; n++) bench.enqueue("p", "loud");
  bench.enqueue("p", "quiet");
  bench.enqueue("p", "shy");
  const order = [];
  for (let n = 0; n < 7; n++) {
    const job = bench.claim();
    order.push(job.tenant);
    bench.queue.finish(job, { state: "succeeded" });
  }
  assert.deepEqual(order.slice(0, 3).toSorted(), ["loud", "quiet", "shy"]);
  assert.deepEqual(order.slice(3), ["loud", "loud", "loud", "loud"]);
});

contract("a tenant with running jobs comes after one without", (bench) => {
  for (const tenant of ["a", "a", "a", "b", "b"]) bench.enqueue("p", tenant);
  const tenants = [bench.claim(), bench.claim(), bench.claim(), bench.claim()].map((job) =>
    job.tenant
  );
  assert.deepEqual(tenants, ["a", "b", "a", "b"]);
});

contract("a job ends once, with its outcome", (bench) => {
  bench.enqueue();
  bench.now += 10;
  const job = bench.claim();
  assert.deepEqual([job.state, job.attempt, job.startedAt], ["running", 1, bench.now]);
  bench.now += 5;
  assert.equal(bench.queue.finish(job, { state: "succeeded", bundleDigest: "d" }), true);
  assert.equal(bench.queue.finish(job, { state: "failed", error }), false);
  const ended = bench.queue.get(job.id);
  assert.deepEqual(
    [ended?.state, ended?.finishedAt, ended?.bundleDigest, ended?.error],
    ["succeeded", bench.now, "d", undefined],
  );
});

contract("a failed job keeps code, message and hint", (bench) => {
  bench.enqueue();
  const job = bench.claim();
  bench.queue.finish(job, { state: "failed", error });
  assert.deepEqual(bench.queue.get(job.id)?.error, error);
});

contract(
  "a job with an expired lease can be claimed again, and its first holder cannot end it",
  (bench) => {
    bench.enqueue();
    const first = bench.claim();
    bench.now += 99;
    assert.equal(bench.queue.claim(), undefined, "still leased");
    bench.now += 1;
    assert.equal(bench.queue.claim(new Set([first.id])), undefined, "still held by this process");
    const second = bench.claim();
    assert.deepEqual([second.id, second.attempt], [first.id, 2]);
    assert.equal(bench.queue.finish(first, { state: "succeeded" }), false);
    assert.equal(bench.queue.heartbeat(first), false);
    assert.equal(bench.queue.defer(first, error, 1), false);
    assert.equal(bench.queue.finish(second, { state: "succeeded" }), true);
  },
);

contract("a heartbeat keeps the lease, even if the clock is set back", (bench) => {
  bench.enqueue();
  const job = bench.claim();
  bench.now += 90;
  assert.equal(bench.queue.heartbeat(job), true);
  bench.now += 90;
  assert.equal(bench.queue.claim(), undefined);
  bench.now -= 500_000;
  assert.equal(bench.queue.claim(new Set([job.id])), undefined, "held");
  assert.equal(bench.claim().id, job.id, "a lease from the future is none");
});

contract("a released job is queued again, and the attempt does not count", (bench) => {
  bench.enqueue();
  assert.equal(bench.queue.release(bench.claim()), true);
  const again = bench.claim();
  assert.deepEqual([again.attempt, again.tries], [2, 1]);
});

contract(
  "a deferred job keeps its error and returns to its place in the queue after its delay",
  (bench) => {
    const first = bench.enqueue("first");
    bench.enqueue("second");
    assert.equal(bench.queue.defer(bench.claim(), error, 50), true);
    const waiting = bench.queue.get(first.id);
    assert.deepEqual([waiting?.state, waiting?.error, waiting?.notBefore], [
      "queued",
      error,
      bench.now + 50,
    ]);
    bench.now += 49;
    const second = bench.claim();
    assert.equal(second.profile, "second");
    bench.queue.release(second);
    bench.now += 1;
    const again = bench.claim();
    assert.deepEqual([again.profile, again.tries, again.notBefore], ["first", 2, undefined]);
  },
);

contract("a deferred job runs even if the clock is set back", (bench) => {
  bench.enqueue();
  bench.queue.defer(bench.claim(), error, maxWait * 9);
  bench.now += maxWait - 1;
  assert.equal(bench.queue.claim(), undefined, "it waits as long as anything may");
  bench.now -= 10 * maxWait;
  assert.equal(bench.claim().tries, 2);
});

contract("cancelling ends queued jobs, marks running ones and leaves ended ones", (bench) => {
  const [a, b] = [bench.enqueue(), bench.enqueue()];
  const running = bench.claim();
  assert.equal(bench.queue.cancel(b.id)?.state, "cancelled");
  assert.equal(bench.queue.get(b.id)?.finishedAt, bench.now);
  const marked = bench.queue.cancel(a.id);
  assert.deepEqual([marked?.state, marked?.cancelling], ["running", true]);
  assert.equal(bench.queue.finish(running, { state: "cancelled" }), true);
  assert.equal(bench.queue.get(a.id)?.cancelling, undefined);
  assert.equal(bench.queue.cancel(a.id)?.state, "cancelled");
  assert.equal(bench.queue.cancel("none"), undefined);
  assert.equal(bench.queue.claim(), undefined);
});

contract("only failed and cancelled jobs can be retried, and they start anew", (bench) => {
  const { id } = bench.enqueue();
  assert.equal(bench.queue.retry(id)?.state, "queued");
  const job = bench.claim();
  bench.queue.finish(job, { state: "failed", error });
  bench.now += 7;
  const again = bench.queue.retry(id);
  assert.deepEqual(
    [again?.state, again?.tries, again?.error, again?.finishedAt],
    ["queued", 0, undefined, undefined],
  );
  assert.equal(bench.queue.figures().oldestQueuedAt, bench.now);
  const second = bench.claim();
  assert.deepEqual([second.attempt, second.tries, second.startedAt], [2, 1, bench.now]);
  assert.equal(bench.queue.finish(job, { state: "succeeded" }), false, "the old holder is out");
  bench.queue.finish(second, { state: "succeeded" });
  assert.equal(bench.queue.retry(id)?.state, "succeeded");
  assert.equal(bench.queue.retry("none"), undefined);
});

contract("only ended jobs are removed or pruned", (bench) => {
  const ids = [1, 2, 3, 4].map(() => bench.enqueue().id);
  for (const _ of [1, 2, 3]) {
    bench.queue.finish(bench.claim(), { state: "succeeded" });
    bench.now += 10;
  }
  assert.equal(bench.queue.remove(ids[3]!), false);
  assert.equal(bench.queue.remove("none"), false);
  assert.equal(bench.queue.remove(ids[0]!), true);
  assert.equal(bench.queue.get(ids[0]!), undefined);
  assert.deepEqual(bench.queue.prune(bench.now + 1, 9), [], "their bundles are there");
  bench.queue.bundlesRemoved(ids);
  assert.deepEqual(bench.queue.prune(bench.now - 15, 9).map((job) => job.id), [ids[1]]);
  assert.deepEqual(bench.queue.prune(bench.now + 1, 0), []);
  assert.deepEqual(bench.queue.list({ limit: 9 }).map((job) => job.id), [ids[3], ids[2]]);
});

contract("after a crash running jobs are queued again, cancelled or failed", (bench) => {
  const { id } = bench.enqueue();
  for (let attempt = 1; attempt < maxAttempts; attempt++) {
    assert.equal(bench.claim().tries, attempt);
    assert.equal(bench.queue.recover().again.length, 1);
  }
  bench.claim();
  const { id: other } = bench.enqueue();
  bench.claim();
  bench.queue.cancel(other);
  const { again, givenUp, cancelled } = bench.queue.recover();
  assert.deepEqual([again.length, givenUp.map((job) => job.id)], [0, [id]]);
  assert.deepEqual(cancelled.map((job) => job.id), [other]);
  assert.match(bench.queue.get(id)?.error?.message ?? "", /ended 3 times/);
  assert.equal(bench.queue.get(other)?.state, "cancelled");
});

contract("an idempotency key returns the existing job of its tenant", (bench) => {
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

contract("an idempotency key for another request is refused", (bench) => {
  bench.enqueue("p", "default", "key");
  const others = [{ profile: "q", request: { layout: "archive" } }, { profile: "p", request: {} }];
  for (const other of others) {
    assert.throws(
      () => bench.queue.enqueue({ tenant: "default", idempotencyKey: "key", ...other }),
      (thrown) => {
        assert.ok(thrown instanceof StellaError);
        assert.equal(thrown.reason, "idempotency_key_reused");
        return true;
      },
    );
  }
  assert.equal(bench.queue.figures().queued, 1);
});

contract("lists are newest first, filtered, and continue after a cursor", (bench) => {
  const ids = [["a", "x"], ["b", "x"], ["a", "y"], ["a", "x"]]
    .map(([profile, tenant]) => bench.enqueue(profile, tenant).id);
  const list = (filter: Parameters<JobQueue["list"]>[0]) =>
    bench.queue.list(filter).map((job) => ids.indexOf(job.id));
  assert.deepEqual(list({ limit: 9 }), [3, 2, 1, 0]);
  assert.deepEqual(list({ limit: 2 }), [3, 2]);
  assert.deepEqual(list({ limit: 2, before: ids[2]! }), [1, 0]);
  assert.deepEqual(list({ limit: 9, tenants: ["x"], profile: "a" }), [3, 0]);
  assert.deepEqual(list({ limit: 9, tenants: ["x", "y"] }), [3, 2, 1, 0]);
  assert.deepEqual(list({ limit: 9, tenants: [] }), []);
  assert.deepEqual(list({ limit: 9, state: "running" }), []);
  bench.claim();
  assert.deepEqual(list({ limit: 9, state: "running" }), [0]);
});

contract(
  "a cursor stays valid after its job was removed, and discloses nothing about another tenant",
  (bench) => {
    const ids = ["x", "y", "x", "x"].map((tenant) => bench.enqueue("p", tenant).id);
    for (const _ of ids) bench.queue.finish(bench.claim(), { state: "succeeded" });
    const list = (before: string) =>
      bench.queue.list({ limit: 9, tenants: ["x"], before }).map((job) => ids.indexOf(job.id));
    const [kept, foreign] = [list(ids[2]!), list(ids[1]!)];
    assert.deepEqual([kept, foreign], [[0], [0]]);
    bench.queue.remove(ids[1]!);
    bench.queue.remove(ids[2]!);
    assert.deepEqual([list(ids[2]!), list(ids[1]!)], [kept, foreign]);
    assert.deepEqual(list("~"), [3, 0], "newer than all");
  },
);

contract(
  "bundles are listed in the order in which they were made, independent of the clock",
  (bench) => {
    const [first, second, third] = [bench.enqueue(), bench.enqueue(), bench.enqueue("q")];
    const made = (profile: string) => bench.queue.made(profile).map(({ id }) => id);
    bench.queue.finish(bench.claim(), { state: "failed", error });
    bench.queue.finish(bench.claim(), { state: "succeeded" });
    bench.queue.finish(bench.claim(), { state: "succeeded" });
    assert.deepEqual([made("p"), made("q")], [[second.id], [third.id]], "none of the failed one");
    bench.now -= 500;
    bench.queue.retry(first.id);
    bench.queue.finish(bench.claim(), { state: "succeeded" });
    assert.deepEqual(made("p"), [second.id, first.id]);
    bench.queue.bundlesRemoved([second.id]);
    assert.deepEqual(made("p"), [first.id]);
  },
);

contract("the statistics have the queued and running jobs, and since when", (bench) => {
  const start = bench.now;
  const none = { queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() };
  assert.deepEqual(bench.queue.figures(), none);
  for (const profile of ["a", "a", "b", "b"]) {
    bench.enqueue(profile);
    bench.now += 10;
  }
  bench.claim();
  bench.queue.finish(bench.claim(), { state: "cancelled" });
  assert.deepEqual(bench.queue.figures(), {
    queued: 2,
    running: 1,
    oldestQueuedAt: start + 20,
    oldestRunningAt: new Map([["a", start + 40]]),
  });
});

contract(
  "a tenant with a full queue is refused; other tenants and repeated requests are accepted",
  (bench) => {
    const { queue } = bench;
    const ask = (tenant: string, idempotencyKey = "") =>
      queue.enqueue(
        { tenant, profile: "p", request: {}, ...idempotencyKey && { idempotencyKey } },
        2,
      );
    const full = { kind: "busy", reason: "queue_full" };
    const first = ask("loud", "key").job;
    ask("loud");
    assert.throws(() => ask("loud"), {
      ...full,
      message: /queue of this tenant is full \(limit: 2\)/,
    });
    assert.deepEqual(ask("loud", "key"), { job: first, isNew: false });
    assert.ok(ask("quiet").isNew);
    queue.finish(bench.claim(), { state: "failed", error });
    ask("loud");
    assert.throws(() => queue.retry(first.id, 2), full);
    assert.equal(queue.get(first.id)?.state, "failed");
    assert.equal(queue.retry(first.id, 3)?.state, "queued");
  },
);

contract("jobs that wait for a retry do not count against the queue's limit", (bench) => {
  bench.enqueue();
  bench.queue.defer(bench.claim(), error, 50);
  const again = () => bench.queue.enqueue({ tenant: "default", profile: "p", request: {} }, 1);
  assert.ok(again().isNew);
  assert.throws(again, { reason: "queue_full" });
});

contract("the last success of each profile is recorded, and failures do not change it", (bench) => {
  const end = (profile: string, at: number, state: "succeeded" | "failed") => {
    bench.enqueue(profile);
    bench.now = at;
    bench.queue.finish(bench.claim(), { state });
  };
  assert.deepEqual(bench.queue.lastSuccesses(), new Map());
  end("p", 2_000_000, "succeeded");
  end("q", 3_000_000, "succeeded");
  end("p", 4_000_000, "succeeded");
  end("p", 5_000_000, "failed");
  assert.deepEqual(bench.queue.lastSuccesses(), new Map([["p", 4_000_000], ["q", 3_000_000]]));
});

contract("jobs of skipped profiles stay queued, and their tenant keeps its turn", (bench) => {
  const [first, second] = [bench.enqueue("slow"), bench.enqueue("slow", "other")];
  const passed = new Set(["slow"]);
  assert.equal(bench.queue.claim(new Set(), passed), undefined);
  const quick = bench.enqueue("quick", "other");
  assert.equal(bench.queue.claim(new Set(), passed)?.id, quick.id);
  assert.deepEqual([bench.claim().id, bench.claim().id], [first.id, second.id]);
  // Leases that have run out as well.
  bench.now += 101;
  const ids = [bench.queue.claim(new Set(), passed)?.id, bench.queue.claim(new Set(), passed)?.id];
  assert.deepEqual(ids, [quick.id, undefined]);
});

/** Workers that fail and work that is aborted: every pending or later task gets an error. */
import assert from "node:assert/strict";
import { workerPool } from "../../src/bundle/chunk_workers.ts";
import { asStellaError } from "../../src/cli/render.ts";
import { failureOf, StellaError } from "../../src/domain/errors.ts";

class FakeWorker {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly asked: { id: number; op: string }[] = [];
  ended = 0;

  postMessage(message: { id: number; op: string }): void {
    this.asked.push(message);
  }

  terminate(): void {
    this.ended++;
  }

  say(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  die(): void {
    this.onerror?.({ message: "out of memory", preventDefault() {} } as ErrorEvent);
  }
}

function fakes(more: Partial<Parameters<typeof workerPool>[0]> = {}) {
  const made: FakeWorker[] = [];
  const start = () => {
    made.push(new FakeWorker());
    return made.at(-1)!;
  };
  return { made, pool: workerPool({ start, ...more }) };
}

const ended = { kind: "defect", message: /A worker ended: out of memory/ };
const chunk = () => new Uint8Array(8);

Deno.test("a task is queued until the worker is ready, and then run", async () => {
  const { made, pool } = fakes();
  const answer = pool.digest(chunk());
  assert.deepEqual(made[0]!.asked, []);
  made[0]!.say("ready");
  assert.deepEqual(made[0]!.asked.map(({ op }) => op), ["digest"]);
  made[0]!.say({ id: 0, result: "done" });
  assert.equal(await answer, "done");
});

Deno.test("a worker that crashes fails its pending and later tasks", async () => {
  for (const isReady of [false, true]) {
    const { made, pool } = fakes();
    const before = pool.digestFile();
    if (isReady) made[0]!.say("ready");
    const waits = assert.rejects(before.update(chunk()), ended);
    made[0]!.die();
    await waits;
    await assert.rejects(before.finish(), ended, "asked afterwards");
    // Messages of a worker that becomes ready late are ignored.
    made[0]!.say("ready");
    await assert.rejects(before.update(chunk()), ended);
    assert.equal(made[0]!.asked.length, isReady ? 1 : 0);
  }
});

Deno.test("an abort fails all pending and later tasks", async () => {
  const stop = new AbortController();
  const error = () => new StellaError("interrupted", "Interrupted");
  const { made, pool } = fakes({ stop: { signal: stop.signal, error } });
  const open = [pool.digest(chunk()), pool.compress(chunk())];
  made.forEach((worker) => worker.say("ready"));
  const all = Promise.all(open.map((one) => assert.rejects(one, { kind: "interrupted" })));
  stop.abort();
  await all;
  await assert.rejects(pool.digest(chunk()), { kind: "interrupted" });
  pool.close();
  assert.deepEqual(made.map(({ ended }) => ended), [1, 1]);
});

Deno.test("an abort before the start does nothing, and one after the end has no effect", async () => {
  const stop = new AbortController();
  const options = { stop: { signal: stop.signal, error: () => new Error("stopped") } };
  const earlier = fakes(options).pool;
  earlier.close();
  stop.abort();
  const { made, pool } = fakes(options);
  await assert.rejects(pool.digest(chunk()), /stopped/);
  assert.equal(made.length, 0);
});

Deno.test("a worker starts with its first task and never without a task", async () => {
  const { made, pool } = fakes();
  assert.equal(made.length, 0);
  const digest = pool.digestFile();
  assert.equal(made.length, 1, "it loads while the first piece is read");
  made[0]!.say("ready");
  const back = digest.update(chunk());
  made[0]!.say({ id: 0, result: "back" });
  assert.equal(await back, "back");
  pool.close();
  assert.deepEqual(made.map(({ ended }) => ended), [1]);
  await assert.rejects(pool.digestFile().update(chunk()), /gone/);
  assert.equal(made.length, 1, "none starts afterwards");
});

Deno.test("if a worker cannot be started, its tasks fail and the other worker is terminated", async () => {
  const first = new FakeWorker();
  const start = () => {
    if (first.onmessage !== null) throw new Error("no more threads");
    return first;
  };
  const pool = workerPool({ start });
  const digests = [pool.digestFile(), pool.digestFile()];
  await assert.rejects(digests[1]!.update(chunk()), /no more threads/);
  await assert.rejects(digests[1]!.finish(), /no more threads/);
  pool.close();
  assert.equal(first.ended, 1);
});

Deno.test("a digest fails if an update failed, even if the worker continues", async () => {
  const { made, pool } = fakes();
  const digest = pool.digestFile();
  made[0]!.say("ready");
  const updates = [digest.update(chunk()), digest.update(chunk())];
  made[0]!.say({ id: 0, result: "back" });
  made[0]!.say({ id: 1, failure: failureOf(new Error("no memory")) });
  await assert.rejects(updates[1]!, /no memory/);
  const finished = digest.finish();
  made[0]!.say({ id: 2, result: "a digest that lacks a piece" });
  await assert.rejects(finished, /no memory/);
});

Deno.test("an unexpected error of a worker is reported as a defect with a hint", async () => {
  const { made, pool } = fakes();
  const opened = pool.open(chunk(), { sha256: "0".repeat(64), size: 4 });
  made[0]!.say("ready");
  made[0]!.say({ id: 0, failure: failureOf(new TypeError("no memory")) });
  const error = asStellaError(await opened.catch((thrown: unknown) => thrown));
  assert.equal(error.message, "Unexpected error: no memory");
  assert.match(error.hint ?? "", /^this is a defect of stella/);
  pool.close();
});

Deno.test("a digest is assigned to the worker with the fewest digests", () => {
  const { made, pool } = fakes();
  const [volume, first] = [pool.digestFile(), pool.digestFile()];
  made.forEach((worker) => worker.say("ready"));
  first.drop();
  for (const digest of [volume, pool.digestFile()]) digest.update(chunk()).catch(() => {});
  const asked = made.map((worker) => worker.asked.map(({ op }) => op));
  assert.deepEqual(asked, [["update"], ["finish", "update"]], "one that was dropped is forgotten");
  pool.close();
});

Deno.test("a chunk is sent to a worker with its expected digest and size, and the result is returned", async () => {
  const { made, pool } = fakes();
  const expected = { sha256: "0".repeat(64), size: 4 };
  const opened = pool.open(chunk(), expected);
  made[0]!.say("ready");
  const [task] = made[0]!.asked as unknown as { op: string; expected: unknown }[];
  assert.deepEqual([task!.op, task!.expected], ["open", expected]);
  made[0]!.say({ id: 0, result: { sha256: "f" } });
  assert.deepEqual(await opened, { sha256: "f" });
});

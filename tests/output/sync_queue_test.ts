/** Concurrent syncs with a limit; the first fault ends the queue. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { SyncQueue, type Unsynced } from "../../src/output/sync_queue.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";

const item = (path: string, bytes = 1): Unsynced => ({ path, kind: "file", bytes });

/** A queue whose syncs end when the test says so. */
function held() {
  const started: { path: string; end: PromiseWithResolvers<void> }[] = [];
  const queue = new SyncQueue({
    sync: ({ path }) => {
      const end = Promise.withResolvers<void>();
      started.push({ path, end });
      return end.promise;
    },
  });
  return { queue, started };
}

/** Lets everything happen that waits for nothing but its turn. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("32 syncs run at once, in the order of the queue; finish waits for the last", async () => {
  const { queue, started } = held();
  for (let i = 0; i < 100; i++) queue.add(item(String(i)));
  assert.equal(started.length, 32);
  let isFinished = false;
  const finished = queue.finish().then(() => isFinished = true);
  for (let i = 0; i < 100; i++) {
    assert.equal(isFinished, false);
    started[i]!.end.resolve();
    await turn();
    assert.equal(started.length, Math.min(100, 33 + i));
  }
  await finished;
  assert.deepEqual(started.map(({ path }) => path), Array.from({ length: 100 }, (_, i) => `${i}`));
});

Deno.test("ready waits while too many files or bytes are queued", async () => {
  for (const [count, bytes] of [[2000, 1], [2, 40 * 1024 * 1024]] as const) {
    const { queue, started } = held();
    for (let i = 0; i < count; i++) queue.add(item(String(i), bytes));
    assert.equal(queue.isReady, false);
    let isReady = false;
    const ready = queue.ready().then(() => isReady = true);
    await turn();
    assert.equal(isReady, false);
    while (!isReady) {
      started.forEach(({ end }) => end.resolve());
      await turn();
    }
    await ready;
    assert.equal(queue.isReady, true);
  }
});

Deno.test("the first failed sync ends the queue: add, ready and finish throw it", async () => {
  const { queue, started } = held();
  for (let i = 0; i < 2000; i++) queue.add(item(String(i)));
  const waiting = assert.rejects(queue.ready(), /first/);
  started[0]!.end.reject(new Error("first"));
  await waiting;
  started[1]!.end.reject(new Error("second"));
  await turn();
  assert.equal(started.length, 32);
  assert.throws(() => queue.add(item("more")), /first/);
  await assert.rejects(queue.finish(), /first/);
});

Deno.test("real files and directories are synced; a missing one is reported with its path", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "d/a": "1" });
    mkdirSync(join(root, "e"));
    const synced: string[] = [];
    const queue = new SyncQueue({ onSynced: ({ path }) => synced.push(path) });
    const directory = (name: string): Unsynced => ({
      path: join(root, name),
      kind: "directory",
      bytes: 0,
    });
    queue.add(item(join(root, "d/a")));
    queue.add(directory("d"));
    queue.add(directory("e"));
    await queue.finish();
    assert.deepEqual(synced.sort(), ["d", "d/a", "e"].map((name) => join(root, name)));
    rmSync(join(root, "d/a"));
    queue.add(item(join(root, "d/a")));
    await assert.rejects(queue.finish(), (error) => {
      return error instanceof StellaError && /Cannot sync ".*d\/a"/.test(error.message);
    });
  });
});

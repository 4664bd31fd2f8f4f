/**
 * Jobs that may wait long for other machines, such as pushes to a hanging registry, do not block
 * others.
 */
import assert from "node:assert/strict";
import { Loop } from "../../src/jobs/loop.ts";
import { MemoryQueue } from "./memory_queue.ts";

Deno.test("another profile gets an extra place while network-bound jobs hold all places", async () => {
  let ids = 0;
  const queue = new MemoryQueue({ now: () => 5_000, newId: () => `job-${++ids}` });
  const enqueue = (profile: string) =>
    queue.enqueue({ tenant: "default", profile, request: {} }).job.id;
  const far = [enqueue("far"), enqueue("far"), enqueue("far")];
  const near = [enqueue("near"), enqueue("near")];
  const { promise: answer, resolve: answered } = Promise.withResolvers<void>();
  const farRuns = Promise.withResolvers<void>();
  let farRunning = 0;
  const ends = [...near, ...far].map(() => Promise.withResolvers<void>());
  let [running, max, ended] = [0, 0, 0];
  const loop = new Loop({
    queue,
    now: () => 5_000,
    elapsed: () => 0,
    concurrency: 2,
    pause: 5,
    networkBound: new Set(["far"]),
    onStart: () => max = Math.max(max, ++running),
    onEnd: () => (running--, ends[ended++]!.resolve()),
    onFault: (error) => assert.fail(String(error)),
    work: async ({ profile }) => {
      if (profile === "far" && ++farRunning === 2) farRuns.resolve();
      await (profile === "far" ? answer : farRuns.promise);
      return {};
    },
  });
  loop.wake();
  await ends[near.length - 1]!.promise;
  const states = (of: string[]) => of.map((id) => queue.get(id)?.state);
  assert.deepEqual(states(near), ["succeeded", "succeeded"]);
  assert.deepEqual(states(far), ["running", "running", "queued"]);
  answered();
  await ends.at(-1)!.promise;
  await loop.stop(1_000);
  assert.equal(max, 3, "one place more, and not two");
});

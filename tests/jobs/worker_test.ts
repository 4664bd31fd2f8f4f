import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import { isLost, runInWorker, type WorkerRun } from "../../src/jobs/worker_host.ts";

const url = new URL("./worker_program.ts", import.meta.url).href;

function run(job: string, more: Partial<WorkerRun<string, string>> = {}): Promise<string> {
  const signal = new AbortController().signal;
  return runInWorker<string, string, string>({ url, job, onEvent: () => {}, signal, ...more });
}

Deno.test("a worker does its job, and its events arrive before the end", async () => {
  const events: string[] = [];
  let pulses = 0;
  const onEvent = (event: string) => events.push(event);
  assert.equal(await run("echo", { onEvent, onHeartbeat: () => pulses++ }), "done echo");
  assert.deepEqual(events, ["got echo"]);
  assert.equal(pulses, 3, "ready, the event, the end");
});

Deno.test("an error of a worker keeps code, hint and findings", async () => {
  await assert.rejects(run("refuse"), (error) => {
    assert.ok(error instanceof StellaError);
    assert.deepEqual([error.kind, error.message, error.hint], [
      "unsafe",
      "Cannot pack",
      "rename it",
    ]);
    assert.deepEqual(error.findings, [{ kind: "unsafe", reason: "unsafe_name", path: "a:b" }]);
    return true;
  });
});

Deno.test("a defect in the work is internal, wherever it happens", async (t) => {
  const defects = { throw: "a defect", reject: "nobody waits for me", raise: "out of nowhere" };
  for (const [job, message] of Object.entries(defects)) {
    await t.step(job, () => assert.rejects(run(job), { kind: "defect", message }));
  }
});

Deno.test("a worker that cannot be loaded fails its job", async () => {
  const missing = run("echo", { url: "file:///nonexistent/worker.ts" });
  await assert.rejects(missing, { kind: "defect", message: /worker crashed: .*nonexistent/ });
});

Deno.test("a worker that stops responding is terminated", async (t) => {
  for (const job of ["exit", "spin"]) {
    await t.step(
      job,
      () =>
        assert.rejects(run(job, { silenceTimeout: 300 }), {
          kind: "defect",
          message: /stopped responding/,
        }),
    );
  }
});

Deno.test("a worker is asked to stop, and terminated if it does not", async (t) => {
  for (const job of ["yield", "spin"]) {
    await t.step(job, async () => {
      const stop = new AbortController();
      const ended = run(job, {
        signal: stop.signal,
        gracePeriod: 100,
        onEvent: () => stop.abort(),
      });
      await assert.rejects(ended, { kind: "interrupted" });
    });
  }
});

Deno.test("after a stop no worker is started", async () => {
  await assert.rejects(run("echo", { signal: AbortSignal.abort(new Error("over")) }), /over/);
});

Deno.test("a worker without progress is terminated with a transient failure", async () => {
  await assert.rejects(run("yield", { stallTimeout: 200 }), (error) => {
    assert.ok(error instanceof StellaError);
    assert.match(error.message, /no progress for too long/);
    assert.equal(isLost(error), true);
    return true;
  });
  assert.equal(isLost(new StellaError("defect", "a defect")), false);
});

import assert from "node:assert/strict";
import type { CheckState, Status } from "../../src/server/readiness.ts";
import { Bench } from "./bench.ts";

const state = (name: string, status: Status, output?: string): CheckState => ({
  name,
  status,
  time: Date.UTC(2026, 0, 1),
  ...(output === undefined ? {} : { output }),
});

Deno.test("liveness is one word with its media type", async () => {
  using bench = new Bench();
  const answer = await bench.get("/health/liveness");
  assert.equal(answer.headers.get("content-type"), "application/health+json");
  assert.deepEqual([answer.status, await answer.json()], [200, { status: "pass" }]);
  bench.alive = { status: "fail", output: "event loop stalled" };
  const dead = await bench.get("/health/liveness");
  assert.deepEqual([dead.status, await dead.json()], [
    503,
    { status: "fail", output: "event loop stalled" },
  ]);
});

Deno.test("liveness shows what readiness found and does not follow it", async () => {
  using bench = new Bench();
  bench.checks = [state("storage:write", "fail", "EROFS"), state("registry", "pass")];
  assert.equal((await bench.get("/health/liveness")).status, 200);
  const verbose = await bench.get("/health/liveness?verbose");
  assert.equal(verbose.status, 200);
  assert.equal(
    await verbose.text(),
    "[-]storage:write fail: EROFS\n[+]registry pass\nliveness: pass\n",
  );
});

Deno.test("readiness lists its checks, and its code follows the worst of them", async () => {
  using bench = new Bench();
  bench.checks = [state("storage:write", "pass"), state("registry:site", "warn", "timeout")];
  const ready = await bench.get("/health/readiness");
  assert.equal(ready.status, 200);
  assert.deepEqual(await ready.json(), {
    status: "pass",
    checks: {
      "storage:write": [{ status: "pass", time: "2026-01-01T00:00:00.000Z" }],
      "registry:site": [{ status: "warn", output: "timeout", time: "2026-01-01T00:00:00.000Z" }],
    },
  });
  bench.checks = [state("attestation:verify", "fail", "a tampered bundle was accepted")];
  assert.equal((await bench.get("/health/readiness")).status, 503);
  const verbose = await bench.get("/health/readiness?verbose=1");
  assert.equal(
    await verbose.text(),
    "[-]attestation:verify fail: a tampered bundle was accepted\nreadiness: fail\n",
  );
});

Deno.test("checks can be left out by name, more than one too", async () => {
  using bench = new Bench();
  bench.checks = [state("registry:site", "fail"), state("lock:held", "fail")];
  const code = async (query: string) => (await bench.get(`/health/readiness?${query}`)).status;
  assert.equal(await code("exclude=registry:site"), 503);
  assert.equal(await code("exclude=registry:site&exclude=lock:held"), 200);
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { CheckState, Status } from "../../src/http/readiness.ts";
import { createOpsServer } from "../../src/http/server.ts";
import { Bench, config } from "./bench.ts";

const state = (name: string, status: Status, output?: string): CheckState => ({
  name,
  status,
  time: Date.UTC(2026, 0, 1),
  ...(output === undefined ? {} : { output }),
});

Deno.test("liveness answers one word with its media type", async () => {
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

Deno.test("liveness shows the readiness result but does not depend on it", async () => {
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

Deno.test("readiness lists its checks, and its status is that of the worst one", async () => {
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

Deno.test("one or several checks can be excluded by name", async () => {
  using bench = new Bench();
  bench.checks = [state("registry:site", "fail"), state("lock:held", "fail")];
  const code = async (query: string) => (await bench.get(`/health/readiness?${query}`)).status;
  assert.equal(await code("exclude=registry:site"), 503);
  assert.equal(await code("exclude=registry:site&exclude=lock:held"), 200);
});

const paths = ["/health/readiness", "/health/readiness?verbose", "/health/liveness?verbose"];

/** A service with one token, in whose state directory something is wrong. */
function guarded(): Bench {
  const sha256 = createHash("sha256").update("secret").digest("hex");
  const ci = { name: "ci", sha256, tenants: ["lab"], scopes: ["read" as const] };
  const bench = new Bench({ config: { ...config, tokens: [ci] } });
  bench.checks = [state("storage:write", "fail", "ENOENT: open '/srv/secret-path/.readiness'")];
  return bench;
}

Deno.test("a caller without a token sees the status of each check, but not its result", async () => {
  using bench = guarded();
  bench.peer = "192.0.2.7";
  const ready = await bench.get("/health/readiness");
  assert.deepEqual([ready.status, await ready.json()], [503, {
    status: "fail",
    checks: { "storage:write": [{ status: "fail" }] },
  }]);
  const text = async (path: string) => await (await bench.get(path)).text();
  assert.equal(await text(paths[1]!), "[-]storage:write fail\nreadiness: fail\n");
  assert.equal(await text(paths[2]!), "[-]storage:write fail\nliveness: pass\n");
  bench.alive = { status: "fail", output: "worker silent" };
  assert.equal(await text("/health/liveness"), '{"status":"fail"}');
});

Deno.test("readiness shows results on this machine, and to tokens without paths", async () => {
  using bench = guarded();
  const seen = async (headers: Record<string, string> = {}) => {
    const texts = paths.map(async (path) => await (await bench.get(path, headers)).text());
    const all = (await Promise.all(texts)).map((text) =>
      text.includes("secret-path") ? "all" : text.includes("'.readiness'") ? "pathless" : "none"
    );
    assert.equal(new Set(all).size, 1, "every answer follows the one rule");
    return all[0];
  };
  for (const peer of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    bench.peer = peer;
    assert.equal(await seen(), "all", peer);
    for (const header of ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"]) {
      assert.equal(await seen({ [header]: "127.0.0.1" }), "none", `${header} is a proxy's`);
    }
  }
  for (const peer of ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", ""]) {
    bench.peer = peer;
    assert.equal(await seen({ authorization: "Bearer secret" }), "pathless", peer);
    assert.equal(await seen({ authorization: "Bearer other" }), "none", peer);
    assert.equal(await seen(), "none", peer);
  }
});

Deno.test("the operations address shows the results of checks to this machine only", async () => {
  using bench = guarded();
  const ops = createOpsServer(bench.deps, { hosts: [], addresses: false });
  const ask = async (path: string, remoteAddress: string) => {
    const headers = { authorization: "Bearer secret" };
    const incoming = { rawHeaders: [], socket: { remoteAddress } };
    return await (await ops.request(`http://127.0.0.1${path}`, { headers }, { incoming })).text();
  };
  for (const path of paths) {
    assert.match(await ask(path, "127.0.0.1"), /secret-path/, path);
    assert.doesNotMatch(await ask(path, "192.0.2.7"), /secret-path/, path);
  }
});

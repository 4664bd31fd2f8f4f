/** What a running service does with several exports, several tenants and several addresses. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { freePort } from "../support/program.ts";
import { configuration, Home, Service } from "../support/service_process.ts";

const two = configuration.replace("concurrency: 1", "concurrency: 2");
const token = "correct-horse-battery-staple";
const guarded = `${configuration}tokens:
  ci: { sha256: ${
  createHash("sha256").update(token).digest("hex")
}, tenants: [default], scopes: [read] }
`;

Deno.test("two exports run at once and are separate in log and timeline", async () => {
  using home = new Home();
  home.configure(two);
  const service = await home.start();
  try {
    const ids = [await service.enqueue("gated"), await service.enqueue("gated")];
    for (const id of ids) await service.until(id, "running");
    assert.match((await service.get("/metrics")).body, /^export_jobs_running 2$/m);
    home.openGate();
    for (const id of ids) assert.equal((await service.until(id, "succeeded")).state, "succeeded");
    for (const id of ids) {
      const { body } = await service.get(`/v1/timeline?exportId=${id}`);
      const stages = body.items.map((one: { stage: string }) => one.stage);
      assert.deepEqual([stages[0], stages.at(-1)], ["queued", "succeeded"]);
      assert.equal(stages.filter((one: string) => one === "started").length, 1);
    }
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("empty directories that an export left out are counted in its timeline", async () => {
  using home = new Home();
  for (const path of ["in/logs/2026", "in/none"]) {
    Deno.mkdirSync(join(home.path, path), { recursive: true });
  }
  Deno.writeTextFileSync(join(home.path, "in/a.txt"), "a file\n");
  home.configure(`version: 1
profiles:
  at-never: { kind: files, sources: [{ files: ${home.path}/in }] }
`);
  const service = await home.start();
  try {
    const id = await service.enqueue("at-never");
    assert.equal((await service.until(id, "succeeded", "failed")).state, "succeeded");
    const { body } = await service.get(`/v1/timeline?exportId=${id}`);
    const made = body.items.find((one: { stage: string }) => one.stage === "made");
    assert.equal(made.attributes.emptyDirectoryCount, 2);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("a running export is cancelled, its place is released and its files are removed", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    const [running, waiting] = [await service.enqueue("hang"), await service.enqueue("quick")];
    await service.until(running, "running");
    const answer = await fetch(`${service.url}/v1/exports/${running}/cancel`, { method: "POST" });
    assert.equal(answer.status, 202);
    await answer.body?.cancel();
    assert.equal((await service.until(running, "cancelled")).error, null);
    assert.equal((await service.until(waiting, "succeeded")).state, "succeeded");
    const { body } = await service.get("/metrics");
    assert.match(body, /^export_jobs_total\{profile="hang",result="cancelled"\} 1$/m);
    assert.match(body, /^export_job_duration_seconds_count\{profile="hang"\} 0$/m);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("addresses are read from the command line, else from variables, else from the configuration", async () => {
  using home = new Home();
  const [own, ops] = [`127.0.0.1:${freePort()}`, `127.0.0.1:${freePort()}`];
  const [others, otherOps] = [`127.0.0.1:${freePort()}`, `127.0.0.1:${freePort()}`];
  home.configure(`version: 1\nservice: { listen: "${own}", opsListen: "${ops}" }\n`);
  const environment = { STELLA_LISTEN: others, STELLA_OPS_LISTEN: otherOps };
  const nothing = { STELLA_LISTEN: "", STELLA_OPS_LISTEN: "" };
  const cases: [Record<string, string>, string[], string, string][] = [
    [nothing, ["", ""], own, ops],
    [environment, ["", ""], others, otherOps],
    [environment, [own, ops], own, ops],
  ];
  for (const [variables, typed, listens, serves] of cases) {
    const service = new Service(home.spawn(variables, ...typed));
    try {
      await service.ready();
      assert.equal(service.url, `http://${listens}`);
      const answer = await fetch(`http://${serves}/v1/exports`);
      assert.deepEqual([answer.status, (await answer.json()).code], [404, "not_found"]);
    } finally {
      assert.equal(await service.stop(), 0);
    }
  }
});

Deno.test("the operations address serves only operations", async () => {
  using home = new Home();
  home.configure(guarded);
  const ops = `127.0.0.1:${freePort()}`;
  const service = await home.start("127.0.0.1:0", ops);
  try {
    const status = async (url: string, init?: RequestInit) => {
      const answer = await fetch(url, init);
      await answer.body?.cancel();
      return answer.status;
    };
    for (
      const path of ["/metrics", "/status", "/health/liveness", "/health/readiness", "/runbook"]
    ) {
      assert.equal(await status(`http://${ops}${path}`), 200, path);
      assert.equal(await status(service.url + path), 200, path);
    }
    for (const path of ["/v1/exports", "/openapi.json"]) {
      assert.equal(await status(`http://${ops}${path}`), 404, path);
    }
    assert.equal(await status(`http://${ops}/v1/exports`, { method: "POST" }), 404);
    assert.equal(await status(`${service.url}/v1/exports`), 401);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal(await status(`${service.url}/v1/exports`, { headers }), 200);
    assert.equal(await status(`${service.url}/v1/exports`, { headers, method: "POST" }), 403);
    assert.equal((await service.get("/status")).body.features.tokens, true);
  } finally {
    assert.equal(await service.stop(), 0);
  }
  assert.doesNotMatch(service.log, new RegExp(token));
});

Deno.test("listening for other machines without tokens is refused with code 2 before the lock is taken", async () => {
  using home = new Home();
  const refused = new Service(home.spawn({}, "0.0.0.0:0"));
  await assert.rejects(refused.ready(), /no access tokens|not a loopback/);
  assert.equal((await refused.child.status).code, 2);
  assert.equal(existsSync(join(home.state, "lock")), false);
  home.configure(guarded);
  const service = await home.start("0.0.0.0:0");
  try {
    const url = service.url.replace("0.0.0.0", "127.0.0.1");
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/v1/exports`, { headers });
    assert.deepEqual([answer.status, (await answer.json()).items], [200, []]);
    assert.ok(service.lines().some((line) => line.event === "service.plain"));
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

Deno.test("a service suspended for longer than its leases continues and runs no export twice", async () => {
  using home = new Home();
  home.configure(two);
  const lease = 1_000;
  const service = await home.startWith({ lease });
  try {
    const id = await service.enqueue("gated");
    await service.until(id, "running");
    service.child.kill("SIGSTOP");
    // A lease uses real time, so the test has to wait for it to expire.
    await new Promise((resolve) => setTimeout(resolve, 2.5 * lease));
    assert.ok(leaseOf(home, id) < Date.now(), "its lease has run out");
    service.child.kill("SIGCONT");
    home.openGate();
    assert.equal((await service.until(id, "succeeded")).state, "succeeded");
    await service.until(await service.enqueue("quick"), "succeeded");
    assert.deepEqual(home.runs(), ["start gated", "end gated", "start quick", "end quick"]);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

/** Until when the job is leased, as the database has it. */
function leaseOf(home: Home, id: string): number {
  using database = new DatabaseSync(join(home.state, "stella.db"), { readOnly: true });
  return Number(database.prepare("SELECT lease_until FROM jobs WHERE id = ?").get(id)?.lease_until);
}

Deno.test("a stored request that this build cannot read fails its export with the reason", async () => {
  using home = new Home();
  const service = await home.start();
  try {
    await service.until(await service.enqueue("gated"), "running");
    const id = await service.enqueue("quick");
    const database = new DatabaseSync(join(home.state, "stella.db"));
    database.prepare("UPDATE jobs SET request = ? WHERE id = ?").run('{"volumeSize":7}', id);
    database.close();
    home.openGate();
    const { error } = await service.until(id, "failed");
    assert.deepEqual([error.code, error.reason], ["usage", "request_invalid"]);
    assert.match(error.message, /^Cannot export "quick": .*stored request.*volumeSize/);
    assert.match(error.hint, /^export the profile again/);
  } finally {
    assert.equal(await service.stop(), 0);
  }
});

/** Requests above a limit are refused with Retry-After. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { serveHttp } from "../../src/http/http_server.ts";
import { Bench, config } from "./bench.ts";

const limited = (more: Partial<typeof config.service>) => ({
  config: { ...config, service: { ...config.service, ...more } },
});

/** A request whose body is sent when the test resolves it. */
function slowPost(bench: Bench) {
  const { promise: arrives, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream({
    pull: async (controller) => {
      await arrives;
      controller.enqueue(new TextEncoder().encode('{"profile":"kit"}'));
      controller.close();
    },
  });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body };
  const answer = Promise.resolve(bench.app.request("http://127.0.0.1/v1/exports", request));
  return { answer, send: resolve };
}

Deno.test("requests above the limit get Retry-After; health and metrics are still answered", async () => {
  using bench = new Bench(limited({ maxRequests: 2 }));
  const open = [slowPost(bench), slowPost(bench)];
  const refused = await bench.get("/v1/exports");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  assert.match((await refused.json()).detail, /open \(limit: 2\)/);
  assert.deepEqual(bench.refusals, ["busy"]);
  for (const path of ["/health/liveness", "/health/readiness", "/metrics", "/status"]) {
    assert.equal((await bench.get(path)).status, 200, path);
  }
  for (const { send } of open) send();
  assert.deepEqual(await Promise.all(open.map(async (one) => (await one.answer).status)), [
    202,
    202,
  ]);
  assert.equal((await bench.get("/v1/exports")).status, 200, "their places are free again");
  assert.deepEqual([bench.queued.length, bench.faults], [2, []]);
});

Deno.test("request bodies that never arrive block no other tenant, on real sockets", async () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const tokens = ["default", "lab"].map((name) => ({
    name,
    sha256: sha256(name),
    tenants: [name],
    scopes: ["read", "write"] as const,
  }));
  const places = 512;
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  // The clock is read when a request begins, and once more when it is answered.
  let [reads, answered] = [0, 0];
  using bench = new Bench({
    config: { ...config, tokens: tokens.map((one) => ({ ...one, scopes: [...one.scopes] })) },
    onAnswered: () => void answered++,
    elapsed: () => {
      if (++reads - answered >= places) resolve();
      return performance.now();
    },
  });
  const server = await serveHttp(bench.app, { host: "127.0.0.1", port: 0 });
  const { port } = new URL(server.url);
  const slow = "POST /v1/exports HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer default\r\n" +
    "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
  const open: Deno.Conn[] = [];
  try {
    for (let n = 0; n < places; n++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      open.push(connection);
      await connection.write(new TextEncoder().encode(slow));
    }
    await arrived;
    const headers = { authorization: "Bearer lab", "content-type": "application/json" };
    const url = `${server.url}/v1/exports`;
    const asked = await fetch(url, { method: "POST", headers, body: '{"profile":"kit"}' });
    assert.equal(asked.status, 202, await asked.text());
    const listed = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const answer = await fetch(url, { headers });
        await answer.body?.cancel();
        return answer.status;
      }),
    );
    assert.deepEqual(new Set(listed), new Set([200]));
    // The connection of a refused request is closed, because its body may still arrive.
    let printed = "";
    for await (const bytes of open.at(-1)!.readable) printed += new TextDecoder().decode(bytes);
    assert.match(printed, /^HTTP\/1\.1 503 /);
    const own = await fetch(url, { headers: { authorization: "Bearer default" } });
    assert.equal(own.status, 503, await own.text());
  } finally {
    // Its reader has closed the last one.
    for (const one of open.slice(0, -1)) one.close();
    await server.close(100);
  }
});

Deno.test("a failed request releases its place", async () => {
  using bench = new Bench(limited({ maxRequests: 1 }));
  bench.queue.list = () => {
    throw new Error("a defect");
  };
  for (let n = 0; n < 3; n++) assert.equal((await bench.get("/v1/exports")).status, 500);
  assert.deepEqual(bench.refusals, []);
});

Deno.test("a tenant with a full queue gets 429; other tenants and repeated requests are accepted", async () => {
  using bench = new Bench(limited({ maxQueued: 2 }));
  const key = { "idempotency-key": "nightly" };
  const first = await (await bench.post({ profile: "kit" }, key)).json();
  await bench.post({ profile: "kit" });
  const refused = await bench.post({ profile: "kit" });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "30"]);
  const { title, detail, hint } = await refused.json();
  assert.equal(title, "Too Many Requests");
  assert.match(detail, /queue of this tenant is full \(limit: 2\)/);
  assert.match(hint, /service\.maxQueued/);
  assert.deepEqual((await (await bench.post({ profile: "kit" }, key)).json()).id, first.id);
  assert.equal((await bench.post({ profile: "kit", tenant: "lab" })).status, 202);
  assert.deepEqual(bench.refusals, ["queue_full"]);
  assert.deepEqual([bench.queue.figures().queued, bench.faults], [3, []]);
});

Deno.test("a failed export is not retried while the queue is full", async () => {
  using bench = new Bench(limited({ maxQueued: 1 }));
  const { id } = await (await bench.post({ profile: "kit" })).json();
  bench.queue.cancel(id);
  await bench.post({ profile: "kit" });
  const retry = () =>
    bench.app.request(`http://127.0.0.1/v1/exports/${id}/retry`, { method: "POST" });
  assert.equal((await retry()).status, 429);
  assert.equal(bench.queue.get(id)?.state, "cancelled");
  bench.queue.claim();
  assert.equal((await retry()).status, 202);
});

Deno.test("the description names the refusals, with Retry-After", async () => {
  using bench = new Bench();
  const { paths } = await (await bench.get("/openapi.json")).json();
  const queueing = Object.entries<Record<string, { responses: Record<string, object> }>>(paths)
    .filter(([, methods]) => Object.values(methods).some(({ responses }) => "429" in responses))
    .map(([path]) => path);
  assert.deepEqual(queueing, ["/v1/exports", "/v1/exports/{id}/retry"]);
  const { responses } = paths["/v1/profiles"].get;
  assert.ok("Retry-After" in responses[503].headers);
});

/** What there is too much of is refused, with the time after which it may be asked again. */
import assert from "node:assert/strict";
import { Bench, config } from "./bench.ts";

const limited = (more: Partial<typeof config.service>) => ({
  config: { ...config, service: { ...config.service, ...more } },
});

/** A request whose body comes when the test says so. */
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

Deno.test("one request more than may be open is told to come back; health and metrics are answered", async () => {
  using bench = new Bench(limited({ mostRequests: 2 }));
  const open = [slowPost(bench), slowPost(bench)];
  const refused = await bench.get("/v1/exports");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal(refused.headers.get("content-type"), "application/problem+json");
  assert.match((await refused.json()).detail, /2 open requests/);
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

Deno.test("a request that fails gives its place back", async () => {
  using bench = new Bench(limited({ mostRequests: 1 }));
  bench.queue.list = () => {
    throw new Error("a defect");
  };
  for (let n = 0; n < 3; n++) assert.equal((await bench.get("/v1/exports")).status, 500);
  assert.deepEqual(bench.refusals, []);
});

Deno.test("a tenant with a full queue gets 429, other tenants and repeated requests do not", async () => {
  using bench = new Bench(limited({ mostQueued: 2 }));
  const key = { "idempotency-key": "nightly" };
  const first = await (await bench.post({ profile: "kit" }, key)).json();
  await bench.post({ profile: "kit" });
  const refused = await bench.post({ profile: "kit" });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "30"]);
  const { title, detail, hint } = await refused.json();
  assert.equal(title, "Too Many Requests");
  assert.match(detail, /2 exports of this tenant wait already/);
  assert.match(hint, /service\.mostQueued/);
  assert.deepEqual((await (await bench.post({ profile: "kit" }, key)).json()).id, first.id);
  assert.equal((await bench.post({ profile: "kit", tenant: "lab" })).status, 202);
  assert.deepEqual(bench.refusals, ["queue_full"]);
  assert.deepEqual([bench.queue.figures().queued, bench.faults], [3, []]);
});

Deno.test("a failed export is not queued again behind a full queue", async () => {
  using bench = new Bench(limited({ mostQueued: 1 }));
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

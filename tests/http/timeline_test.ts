import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Bench, config } from "./bench.ts";

const missing = "019b76da-a800-7000-8000-000000000000";

function fill(bench: Bench) {
  const exportOf = (tenant: string, digit: string) => ({
    exportId: `019b76da-a800-7000-8000-${digit.repeat(12)}`,
    tenant,
    profile: "kit",
  });
  const [own, foreign] = [exportOf("default", "a"), exportOf("lab", "b")];
  return {
    own,
    foreign,
    events: ["queued", "started", "read"].map((stage) => bench.timeline.add(own, stage)),
    foreignEvent: bench.timeline.add(foreign, "queued", { secret: "lab-only" }),
  };
}

Deno.test("the timeline of an export is paged, oldest first", async () => {
  using bench = new Bench();
  const { own, events } = fill(bench);
  const first = await (await bench.get(`/v1/timeline?exportId=${own.exportId}&limit=2`)).json();
  assert.deepEqual(first.items.map((one: { stage: string }) => one.stage), ["queued", "started"]);
  assert.deepEqual(Object.keys(first.items[0]).sort(), [
    "attributes",
    "exportId",
    "id",
    "profile",
    "stage",
    "tenant",
    "time",
  ]);
  assert.equal(first.items[0].time, "2026-01-01T00:00:00.000Z");
  assert.equal(first.next, events[1]!.id);
  const second = await (await bench.get(`/v1/timeline?after=${first.next}`)).json();
  assert.deepEqual([second.items.map((one: { stage: string }) => one.stage), second.next], [
    ["read"],
    null,
  ]);
  const one = await (await bench.get(`/v1/timeline/${events[2]!.id}`)).json();
  assert.deepEqual(one, second.items[0]);
});

Deno.test("a timeline with first=newest is paged, newest first", async () => {
  using bench = new Bench();
  const { events } = fill(bench);
  const ask = async (query: string) => {
    const { items, next } = await (await bench.get(`/v1/timeline?first=newest${query}`)).json();
    return [items.map((one: { stage: string }) => one.stage), next];
  };
  assert.deepEqual(await ask("&limit=2"), [["read", "started"], events[1]!.id]);
  assert.deepEqual(await ask(`&limit=2&before=${events[1]!.id}`), [["queued"], null]);
  assert.deepEqual(await ask(`&after=${events[1]!.id}`), [["read"], null]);
});

Deno.test("an event or export of another tenant gets the same answer as an unknown one", async () => {
  using bench = new Bench();
  const { foreign, foreignEvent, events } = fill(bench);
  const pairs: [string, string, number][] = [
    [`/v1/timeline/${foreignEvent.id}`, `/v1/timeline/${missing}`, 404],
    [`/v1/timeline/${events[0]!.id}?tenant=lab`, `/v1/timeline/${missing}?tenant=lab`, 404],
    [`/v1/timeline?exportId=${foreign.exportId}`, `/v1/timeline?exportId=${missing}`, 200],
    [
      `/v1/timeline?exportId=${foreign.exportId}&after=${foreignEvent.id}`,
      `/v1/timeline?exportId=${missing}&after=${foreignEvent.id}`,
      200,
    ],
  ];
  for (const [existing, absent, status] of pairs) {
    const [a, b] = [await bench.get(existing), await bench.get(absent)];
    assert.deepEqual([a.status, b.status], [status, status], existing);
    assert.equal(await a.text(), await b.text(), existing);
    assert.deepEqual([...a.headers], [...b.headers], existing);
  }
  const all = await (await bench.get("/v1/timeline")).text();
  assert.doesNotMatch(all, /lab-only/);
  const lab = await (await bench.get("/v1/timeline?tenant=lab")).json();
  assert.deepEqual(lab.items.map((one: { id: string }) => one.id), [foreignEvent.id]);
});

Deno.test("malformed ids and parameters are 400 and are named", async () => {
  using bench = new Bench();
  fill(bench);
  const cases: [string, string][] = [
    ["/v1/timeline/1", "eventId"],
    ["/v1/timeline/%00", "eventId"],
    ["/v1/timeline/..%2f..%2fetc", "eventId"],
    [`/v1/timeline/${missing.toUpperCase()}`, "eventId"],
    ["/v1/timeline/019b76da-a800-4000-8000-000000000000", "eventId"],
    [`/v1/timeline/${missing}?tenant=other`, "tenant"],
    [`/v1/timeline/${missing}?tenent=lab`, "tenent"],
    ["/v1/timeline?exportId=x", "exportId"],
    ["/v1/timeline?exportId=", "exportId"],
    [`/v1/timeline?exportId=${missing}'--`, "exportId"],
    ["/v1/timeline?after=yesterday", "after"],
    ["/v1/timeline?before=tomorrow", "before"],
    ["/v1/timeline?first=middle", "first"],
    ["/v1/timeline?tenant=__proto__", "tenant"],
    ["/v1/timeline?limit=0", "limit"],
    ["/v1/timeline?limit=501", "limit"],
    ["/v1/timeline?limit=x", "limit"],
    ["/v1/timeline?stage=read", "stage"],
  ];
  for (const [path, place] of cases) {
    const answer = await bench.get(path);
    assert.equal(answer.status, 400, path);
    const { errors } = await answer.json();
    assert.deepEqual(errors.map((one: { path: string }) => one.path), [place], path);
  }
});

Deno.test("status shows whether the site is sealed and the number of refused connections", async () => {
  using bench = new Bench();
  bench.refused = 3;
  const { egress, features } = await (await bench.get("/status")).json();
  assert.deepEqual([egress, features.sealed], [{ sealed: false, refused: 3 }, false]);
});

Deno.test("a token reads the events of its own tenants only", async () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const token = (name: string, tenants: string[], scopes: ("read" | "write")[]) => ({
    name,
    sha256: sha256(name),
    tenants,
    scopes,
  });
  const tokens = [token("lab-token", ["lab"], ["read"]), token("blind", ["lab"], ["write"])];
  using bench = new Bench({ config: { ...config, tokens } });
  const { own, events, foreignEvent } = fill(bench);
  const ask = async (path: string, bearer = "lab-token") => {
    const answer = await bench.get(path, { authorization: `Bearer ${bearer}` });
    return [answer.status, await answer.text()] as const;
  };
  const [status, page] = await ask("/v1/timeline");
  const { items } = JSON.parse(page);
  assert.deepEqual([status, items.map((one: { id: string }) => one.id)], [200, [foreignEvent.id]]);
  assert.deepEqual(
    await ask(`/v1/timeline/${events[0]!.id}`),
    await ask(`/v1/timeline/${missing}`),
  );
  const named = await ask("/v1/timeline?tenant=default");
  assert.deepEqual(named, await ask("/v1/timeline?tenant=nowhere"));
  assert.equal(named[0], 400);
  assert.deepEqual(
    await ask(`/v1/timeline?exportId=${own.exportId}`),
    await ask(`/v1/timeline?exportId=${missing}`),
  );
  assert.equal((await bench.get("/v1/timeline")).status, 401);
  assert.equal((await ask("/v1/timeline", "blind"))[0], 403);
  assert.equal((await ask("/v1/timeline", "wrong"))[0], 401);
});

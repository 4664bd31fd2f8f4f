/** Cancelling, repeating, removing and following exports over HTTP. */
import assert from "node:assert/strict";
import { Bench, config } from "./bench.ts";

const error = { code: "remote", message: "no answer" };

function call(bench: Bench, method: string, path: string): Promise<Response> {
  return Promise.resolve(bench.app.request(`http://127.0.0.1:8420/v1/exports/${path}`, { method }));
}

function enqueue(bench: Bench): string {
  return bench.queue.enqueue({ tenant: "default", profile: "kit", request: {} }).job.id;
}

Deno.test("a queued export is cancelled at once, a running one is asked to end", async () => {
  using bench = new Bench();
  const [running, waiting] = [enqueue(bench), enqueue(bench)];
  bench.queue.claim();
  const first = await call(bench, "POST", `${waiting}/cancel`);
  assert.deepEqual([first.status, (await first.json()).state], [202, "cancelled"]);
  const second = await call(bench, "POST", `${running}/cancel`);
  assert.deepEqual([second.status, (await second.json()).state], [202, "running"]);
  assert.deepEqual(
    bench.cancelled.map(({ id, state }) => [id, state]),
    [[waiting, "cancelled"], [running, "running"]],
  );
  const again = await call(bench, "POST", `${waiting}/cancel`);
  assert.deepEqual([again.status, (await again.json()).detail], [409, "The export was cancelled"]);
});

Deno.test("only failed and cancelled exports can be queued again", async () => {
  using bench = new Bench();
  const id = enqueue(bench);
  assert.equal((await call(bench, "POST", `${id}/retry`)).status, 409, "it waits");
  const job = bench.queue.claim()!;
  assert.equal((await call(bench, "POST", `${id}/retry`)).status, 409, "it runs");
  bench.queue.finish(job, { state: "failed", error });
  const answer = await call(bench, "POST", `${id}/retry`);
  const body = await answer.json();
  assert.deepEqual([answer.status, body.state, body.error], [202, "queued", null]);
  assert.deepEqual(bench.queued.map((one) => one.id), [id]);
  bench.draining = true;
  assert.equal((await call(bench, "POST", `${id}/retry`)).status, 503);
});

Deno.test("an export whose profile was removed from the configuration is not queued again", async () => {
  using bench = new Bench();
  const { id } = bench.queue.enqueue({ tenant: "default", profile: "gone", request: {} }).job;
  bench.queue.cancel(id);
  const answer = await call(bench, "POST", `${id}/retry`);
  assert.equal(answer.status, 409);
  assert.match((await answer.json()).detail, /no longer has the profile gone/);
  assert.deepEqual([bench.queue.get(id)?.state, bench.queued], ["cancelled", []]);
});

Deno.test("only an export that has ended can be removed, with its bundle", async () => {
  using bench = new Bench();
  const id = enqueue(bench);
  assert.equal((await call(bench, "DELETE", id)).status, 409);
  const job = bench.queue.claim()!;
  bench.store.begin(id);
  const bundle = { tenant: "default", profile: "kit", exportId: id };
  bench.store.commit(bundle);
  bench.queue.finish(job, { state: "succeeded" });
  assert.equal((await call(bench, "DELETE", id)).status, 204);
  assert.equal(bench.store.find(bundle), undefined);
  assert.equal((await call(bench, "DELETE", id)).status, 404);
});

Deno.test("a failing check refuses only the exports that need it, and is named in the error", async () => {
  using bench = new Bench({
    config: {
      ...config,
      profiles: new Map([
        ["kit", config.profiles.get("kit")!],
        ["far", {
          ...config.profiles.get("advisories")!,
          targets: [{ registry: "site", repository: "x", tag: "y" }],
        }],
      ]),
    },
  });
  const check = (name: string, status: "warn" | "fail") => ({ name, status, time: 0 });
  bench.checks = [check("registry:site", "warn")];
  const far = await bench.post({ profile: "far" });
  assert.deepEqual([far.status, far.headers.get("retry-after")], [503, "10"]);
  assert.match((await far.json()).detail, /registry:site/);
  assert.equal((await bench.post({ profile: "kit" })).status, 202);
  bench.checks = [check("storage:write", "fail")];
  assert.match((await (await bench.post({ profile: "kit" })).json()).detail, /storage:write/);
  bench.checks = [check("storage:free", "warn")];
  assert.equal((await bench.post({ profile: "kit" })).status, 202);
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Events as `name data` until the end, in `events` as soon as they come; ids on their own. */
async function follow(answer: Response, events: string[] = []) {
  const ids: string[] = [];
  let rest = "";
  for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
    rest += text;
    const frames = rest.split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)?.[1];
      if (field("id") !== undefined) ids.push(field("id")!);
      const data = JSON.parse(field("data") ?? "null");
      if (field("event") !== undefined) {
        events.push(`${field("event")} ${data?.stage ?? data?.state}`);
      }
    }
  }
  return { events, ids };
}

Deno.test("a follower receives the steps, progress and end of an export", async () => {
  using bench = new Bench();
  const id = enqueue(bench);
  const of = { exportId: id, tenant: "default", profile: "kit" };
  bench.timeline.add(of, "queued");
  const answer = await bench.get(`/v1/exports/${id}/events`);
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const received: string[] = [];
  const followed = follow(answer, received);
  const until = async (event: string) => {
    for (let n = 0; n < 2_000 && !received.includes(event); n++) await turn();
  };
  await until("step queued");
  bench.feed.progressed(id, { stage: "read", done: 1, total: 9 });
  await until("progress read");
  bench.queue.finish(bench.queue.claim()!, { state: "succeeded", bundleDigest: "d" });
  bench.timeline.add(of, "succeeded");
  bench.feed.ended(id);
  const { events, ids } = await followed;
  assert.deepEqual(events, ["step queued", "progress read", "step succeeded", "end succeeded"]);
  const rest = await follow(
    await bench.get(`/v1/exports/${id}/events`, { "last-event-id": ids[0]! }),
  );
  assert.deepEqual(rest.events, ["step succeeded", "end succeeded"], "nothing twice");
});

Deno.test("a stopping service ends the event streams of its followers", async () => {
  using bench = new Bench();
  const id = enqueue(bench);
  const followed = follow(await bench.get(`/v1/exports/${id}/events`));
  await turn();
  bench.draining = true;
  bench.feed.close();
  assert.deepEqual((await followed).events, []);
});

Deno.test("requests are measured under the template of their route", async () => {
  using bench = new Bench();
  for (let n = 0; n < 50; n++) {
    await bench.get(`/v1/exports/019b76da-a800-7000-8000-${String(n).padStart(12, "0")}`);
    await bench.get(`/random-${n}`);
    await bench.app.request(`http://127.0.0.1/v1/x${n}`, { method: "PROPFIND" });
  }
  assert.deepEqual([...new Set(bench.answered)].toSorted(), [
    "GET /v1/exports/:id 404",
    "GET other 404",
    "PROPFIND other 404",
  ]);
});

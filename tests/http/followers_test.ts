/**
 * The limit of concurrent followers: when places are taken and released, and what is left for other
 * tenants.
 */
import assert from "node:assert/strict";
import { Bench, config } from "./bench.ts";

function enqueue(bench: Bench, tenant = "default"): string {
  return bench.queue.enqueue({ tenant, profile: "kit", request: {} }).job.id;
}

function open(bench: Bench, id: string, method = "GET"): Promise<Response> {
  const url = `http://127.0.0.1:8420/v1/exports/${id}/events`;
  return Promise.resolve(bench.app.request(url, { method }));
}

/** Opens streams of the export until one is refused; the last answer is the refusal. */
async function fill(bench: Bench, id: string) {
  const streams: Response[] = [];
  for (;;) {
    const answer = await open(bench, id);
    if (answer.status !== 200) return { streams, refused: answer };
    streams.push(answer);
    assert.ok(streams.length <= bench.feed.maxFollowers, "there are only so many places");
  }
}

async function leave(streams: Response[]): Promise<void> {
  for (const one of streams.splice(0)) await one.body!.cancel();
}

const alone = () => new Bench({ config: { ...config, tenants: ["default"] } });

Deno.test("followers are limited, release their places, and refusals are counted", async () => {
  using bench = alone();
  const id = enqueue(bench);
  const { streams, refused } = await fill(bench, id);
  assert.equal(streams.length, bench.feed.maxFollowers);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.match((await refused.json()).detail, /^Too many event streams are open \(limit: /);
  assert.deepEqual(bench.refusals, ["followers_full"]);
  await leave([streams.pop()!]);
  const again = await open(bench, id);
  assert.equal(again.status, 200);
  await leave([...streams, again]);
});

Deno.test("HEAD returns the headers and takes no follower's place", async () => {
  using bench = alone();
  const id = enqueue(bench);
  for (let n = 0; n <= bench.feed.maxFollowers; n++) {
    const answer = await open(bench, id, "HEAD");
    assert.deepEqual([answer.status, answer.body], [200, null]);
    assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  }
  const { streams } = await fill(bench, id);
  assert.equal(streams.length, bench.feed.maxFollowers);
  await leave(streams);
});

Deno.test("with several tenants, one tenant can take at most half of the places", async () => {
  using bench = new Bench();
  const [first, second] = [await fill(bench, enqueue(bench)), enqueue(bench, "lab")];
  assert.equal(first.streams.length, bench.feed.maxFollowers / 2);
  const other = await fill(bench, second);
  assert.equal(other.streams.length, bench.feed.maxFollowers / 2);
  assert.deepEqual(await first.refused.json(), await other.refused.json(), "it tells nothing");
  await leave([...first.streams, ...other.streams]);
});

Deno.test("a failed stream releases its place", async () => {
  using bench = alone();
  const id = enqueue(bench);
  const { streams } = await fill(bench, id);
  const failing = streams.pop()!;
  bench.timeline.list = () => {
    throw new Error("disk I/O error");
  };
  await assert.rejects(failing.text(), /disk I\/O error/);
  assert.equal((await open(bench, id)).status, 200);
});

/**
 * The limit of concurrent downloads: when places are taken and released, and what is left for other
 * tenants.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { run } from "../support/run_export.ts";
import { Bench, config } from "./bench.ts";

const places = 4;

/** A bench whose tenants `default` and `lab` have a finished export each. */
async function withTwoTenants(body: (bench: Bench, urls: Map<string, string>) => Promise<void>) {
  const tokens = ["default", "lab"].map((name) => ({
    name,
    sha256: createHash("sha256").update(name).digest("hex"),
    tenants: [name],
    scopes: ["read" as const, "download" as const],
  }));
  const service = { ...config.service, maxRequests: 2 * places };
  using bench = new Bench({ config: { ...config, tokens, service } });
  const sample = fileURLToPath(new URL("../fixtures/sample", import.meta.url));
  const urls = new Map<string, string>();
  for (const { name: tenant } of tokens) {
    const { job } = bench.queue.enqueue({ tenant, profile: "kit", request: {} });
    const running = bench.queue.claim()!;
    const { bundleDigest } = await run(bench.store.begin(job.id), sample, { profile: "kit" });
    bench.store.commit({ tenant, profile: "kit", exportId: job.id });
    bench.queue.finish(running, { state: "succeeded", bundleDigest });
    urls.set(tenant, `/v1/exports/${job.id}/`);
  }
  await body(bench, urls);
}

/** Opens downloads of a tenant without reading them, until one is refused. */
async function fill(bench: Bench, tenant: string, url: string) {
  const headers = { authorization: `Bearer ${tenant}` };
  const open: Response[] = [];
  for (;;) {
    const answer = await bench.get(url, headers);
    if (answer.status !== 200) return { open, refused: answer };
    open.push(answer);
    assert.ok(open.length <= places, "there are only so many places");
  }
}

for (const path of ["bundle.tar", "files/kit.tar.zst"]) {
  Deno.test(`unread downloads of one tenant do not block other tenants: ${path}`, () =>
    withTwoTenants(async (bench, urls) => {
      const mine = await fill(bench, "default", urls.get("default")! + path);
      const { refused } = mine;
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
      assert.match((await refused.json()).detail, /downloads are running \(limit: 4\)/);
      assert.deepEqual(bench.refusals, ["busy"]);
      const theirs = await fill(bench, "lab", urls.get("lab")! + path);
      assert.deepEqual([mine.open.length, theirs.open.length], [2, 2]);
      // One is read to its end, the others are aborted: both release their places.
      await mine.open.pop()!.bytes();
      for (const one of [...mine.open, ...theirs.open]) await one.body!.cancel();
      const again = await fill(bench, "default", urls.get("default")! + path);
      assert.equal(again.open.length, mine.open.length + 1);
      for (const one of again.open) await one.body!.cancel();
    }));
}

Deno.test("responses without a file do not count as downloads", () =>
  withTwoTenants(async (bench, urls) => {
    const headers = { authorization: "Bearer default" };
    const url = urls.get("default")!;
    const socket = { remoteAddress: "127.0.0.1" };
    const environment = { incoming: { rawHeaders: [], socket } };
    for (let count = 0; count <= places; count++) {
      const head = { method: "HEAD", headers };
      const address = `http://127.0.0.1:8420${url}bundle.tar`;
      assert.equal((await bench.app.request(address, head, environment)).status, 200);
      assert.equal((await bench.get(`${url}files/none`, headers)).status, 404);
      const tag = { ...headers, "if-none-match": "*" };
      assert.equal((await bench.get(`${url}bundle.tar`, tag)).status, 304);
    }
    const whole = await bench.get(`${url}bundle.tar`, headers);
    assert.equal(whole.headers.get("content-length"), String((await whole.bytes()).length));
  }));

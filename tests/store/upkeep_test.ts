/** Retention, removal and the scrub, on bundles that the export made. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { uuidV7 } from "../../src/jobs/uuid.ts";
import { outlived } from "../../src/store/retention.ts";
import { type Damage, scrub } from "../../src/store/scrub.ts";
import { FileStore, type StoredBundle } from "../../src/store/store.ts";
import { Upkeep } from "../../src/store/upkeep.ts";
import { run } from "../export/run.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 0, 31);
const sample = fileURLToPath(new URL("../fixtures/sample", import.meta.url));

const bundleOf = (daysAgo: number, profile = "p"): StoredBundle => ({
  tenant: "default",
  profile,
  exportId: uuidV7(now - daysAgo * day, new Uint8Array(10).fill(1)),
});

async function withStore(body: (store: FileStore, state: string) => Promise<void> | void) {
  const state = Deno.makeTempDirSync({ prefix: "stella-store-" });
  try {
    await body(new FileStore(state), state);
  } finally {
    Deno.removeSync(state, { recursive: true });
  }
}

async function put(store: FileStore, bundle: StoredBundle): Promise<string> {
  await run(store.begin(bundle.exportId), sample, { profile: bundle.profile });
  return store.commit(bundle);
}

Deno.test("what neither the count nor the age keeps has outlived, and the newest never has", () => {
  const ages = [30, 20, 10, 5, 1];
  const bundles = ages.map((one) => bundleOf(one));
  const gone = (rule: { keep?: number; days?: number }) =>
    outlived(bundles, rule, now).map((one) => ages[bundles.indexOf(one)]);
  assert.deepEqual(gone({ keep: 2 }), [30, 20, 10]);
  assert.deepEqual(gone({ days: 7 }), [30, 20, 10]);
  assert.deepEqual(gone({ keep: 4, days: 7 }), [30]);
  assert.deepEqual(gone({ keep: 2, days: 15 }), [30, 20]);
  assert.deepEqual(gone({ keep: 9 }), []);
  assert.deepEqual(outlived([bundleOf(300)], { days: 1 }, now), [], "the last good one stays");
});

Deno.test("rules are applied by profile; a profile without one keeps all", async () => {
  await withStore(async (store, state) => {
    const all = [3, 2, 1].flatMap((age) => [bundleOf(age), bundleOf(age, "q")]);
    for (const bundle of all) {
      store.begin(bundle.exportId);
      store.commit(bundle);
    }
    const told: unknown[] = [];
    const upkeep = new Upkeep({
      store,
      state,
      profiles: ["p", "q", "r"],
      rules: new Map([["p", { keep: 1 }]]),
      scrubEvery: 0,
      now: () => now,
      elapsed: () => 0,
      onCounts: (counts) => told.push(Object.fromEntries(counts)),
      onRemoved: (bundles) => told.push(bundles.length),
      onScrubbed: () => told.push("scrubbed"),
      onFault: (error) => assert.fail(String(error)),
    });
    const of = (bundles: number) => ({ bundles, bytes: 0 });
    await upkeep.tidy();
    assert.deepEqual(told, [2, { p: of(1), q: of(3), r: of(0) }]);
    await upkeep.tidy("p");
    assert.deepEqual(told.slice(2), [{ p: of(1) }]);
    assert.deepEqual(store.list({ profile: "p" }), [bundleOf(1)]);
    assert.deepEqual([...Deno.readDirSync(join(state, "tmp"))], [], "nothing is left behind");
  });
});

Deno.test("a sound store scrubs clean; one changed, one cut and one lost file are each found", async () => {
  await withStore(async (store) => {
    const bundles = [4, 3, 2, 1].map((age) => bundleOf(age));
    const places = [];
    for (const bundle of bundles) places.push(await put(store, bundle));
    const look = () =>
      scrub({ store, rate: 1e12, elapsed: () => 0, signal: new AbortController().signal });
    assert.deepEqual(await look(), []);
    const archive = join(places[0]!, "p.tar.zst");
    const bytes = Deno.readFileSync(archive);
    bytes[bytes.length - 9]! ^= 1;
    Deno.writeFileSync(archive, bytes);
    Deno.truncateSync(join(places[1]!, "SHA256SUMS"), 3);
    Deno.removeSync(join(places[2]!, "manifest.json"));
    const found = await look();
    assert.deepEqual(found.map(({ exportId, path }) => [exportId, path]), [
      [bundles[0]!.exportId, "p.tar.zst"],
      [bundles[1]!.exportId, "SHA256SUMS"],
      [bundles[2]!.exportId, "manifest.json"],
    ]);
    assert.match(found[0]!.found, /another digest/);
    assert.match(found[1]!.found, /3 bytes/);
  });
});

Deno.test("a scrub that was done is not done again by a restart, only when it is due", async () => {
  await withStore(async (store, state) => {
    await put(store, bundleOf(1));
    let time = now;
    const scrubs: (readonly Damage[])[] = [];
    const once = async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const upkeep = new Upkeep({
        store,
        state,
        profiles: [],
        rules: new Map(),
        scrubEvery: 7 * day,
        now: () => time,
        elapsed: () => performance.now(),
        onCounts: () => {},
        onRemoved: () => {},
        onScrubbed: (damaged) => (scrubs.push(damaged), resolve()),
        onFault: (error) => assert.fail(String(error)),
        rate: 1e12,
      });
      upkeep.start();
      await Promise.race([promise, new Promise((later) => setTimeout(later, 300))]);
      await upkeep.stop();
    };
    await once();
    await once();
    assert.deepEqual(scrubs, [[]]);
    time += 8 * day;
    await once();
    assert.equal(scrubs.length, 2);
  });
});

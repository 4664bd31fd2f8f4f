/** Retention, removal and the scrub, on bundles that the export made. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { uuidV7 } from "../../src/domain/uuid.ts";
import { expired, type ExportOutcome, type MadeBundle } from "../../src/store/files/retention.ts";
import { type Damage, scrub } from "../../src/store/files/scrub.ts";
import type { StoredSize } from "../../src/store/files/size.ts";
import { FileStore, type StoredBundle } from "../../src/store/files/store.ts";
import { Maintenance, type MaintenanceOptions } from "../../src/store/maintenance.ts";
import { run } from "../support/run_export.ts";
import { Changes } from "../support/changes.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 0, 31);
const sample = fileURLToPath(new URL("../fixtures/sample", import.meta.url));

const bundleOf = (daysAgo: number, profile = "p"): MadeBundle => ({
  tenant: "default",
  profile,
  exportId: uuidV7(now - daysAgo * day, new Uint8Array(10).fill(1)),
  madeAt: now - daysAgo * day,
});

/** Where a bundle lies, without its time. */
const placed = ({ madeAt: _, ...bundle }: MadeBundle): StoredBundle => bundle;

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

const changes = new Changes();

/** Maintenance of profile `p` alone; notes what it reports, by the name of the callback. */
function maintenanceOf(store: FileStore, state: string, more: Partial<MaintenanceOptions> = {}) {
  const reported: Record<string, unknown[]> = {};
  const note = (name: string) => (...values: unknown[]) => {
    (reported[name] ??= []).push(...values);
    changes.changed();
  };
  const maintenance = new Maintenance({
    store,
    state,
    profiles: ["p"],
    rules: new Map(),
    made: () => [],
    outcomeOf: () => "succeeded",
    scrubEvery: 0,
    now: () => now,
    elapsed: () => performance.now(),
    onCounts: note("counts"),
    onRemoved: note("removed"),
    onOrphans: note("strays"),
    onScrubbed: note("scrubbed"),
    onDamage: (damaged, at) => note("damage")([damaged.map(({ path }) => path), at]),
    onFault: (error) => assert.fail(String(error)),
    rate: 1e12,
    pause: 1,
    ...more,
  });
  return { maintenance, reported };
}

Deno.test("a bundle kept by neither count nor age expires, and the newest never does", () => {
  const ages = [30, 20, 10, 5, 1];
  const bundles = ages.map((one) => bundleOf(one));
  const gone = (rule: { keep?: number; days?: number }) =>
    expired(bundles, rule, now).map((one) => ages[bundles.indexOf(one)]);
  assert.deepEqual(gone({ keep: 2 }), [30, 20, 10]);
  assert.deepEqual(gone({ days: 7 }), [30, 20, 10]);
  assert.deepEqual(gone({ keep: 4, days: 7 }), [30]);
  assert.deepEqual(gone({ keep: 2, days: 15 }), [30, 20]);
  assert.deepEqual(gone({ keep: 9 }), []);
  assert.deepEqual(expired([bundleOf(300)], { days: 1 }, now), [], "the last good one stays");
});

Deno.test("a bundle made while the clock was wrong gets the age of the one before it", () => {
  const [first, wrong, last] = [bundleOf(5), bundleOf(9_000), bundleOf(1)];
  assert.deepEqual(expired([first, wrong, last], { days: 7 }, now), []);
  assert.deepEqual(expired([first, wrong, last], { days: 4 }, now), [first, wrong]);
});

Deno.test("retention follows the order in which bundles were made, not requested", async () => {
  await withStore(async (store, state) => {
    const [fresh, before, gone] = [bundleOf(3), bundleOf(2), bundleOf(1)];
    for (const bundle of [fresh, before]) {
      store.begin(bundle.exportId);
      store.commit(bundle);
    }
    // The last one was purged and does not count as the newest bundle.
    const made = () => [before, { ...fresh, madeAt: now }, gone];
    const rules = new Map([["p", { keep: 1 }]]);
    const { maintenance, reported } = maintenanceOf(store, state, { rules, made });
    await maintenance.tidy("p");
    assert.deepEqual(reported["removed"], [[before]]);
    assert.deepEqual(store.list(), [placed(fresh)]);
  });
});

Deno.test("bundles of failed exports are removed; those of open or unknown exports are kept and not counted", async () => {
  await withStore(async (store, state) => {
    const standings = new Map<string, ExportOutcome>();
    const [good, failed, open, unknown] = [4, 3, 2, 1].map((age) => bundleOf(age));
    for (const bundle of [good!, failed!, open!, unknown!]) {
      store.begin(bundle.exportId);
      store.commit(bundle);
    }
    standings.set(good!.exportId, "succeeded");
    standings.set(failed!.exportId, "ended without a bundle");
    standings.set(open!.exportId, "open");
    const { maintenance, reported } = maintenanceOf(store, state, {
      rules: new Map([["p", { keep: 1 }]]),
      made: () => [good!],
      outcomeOf: ({ exportId }) => standings.get(exportId) ?? "unknown",
    });
    await maintenance.tidy();
    assert.deepEqual(reported["strays"], [{
      removed: [placed(failed!)],
      unknown: [placed(unknown!)],
    }]);
    assert.deepEqual(store.list(), [good!, open!, unknown!].map(placed));
  });
});

Deno.test("rules are applied by profile; a profile without one keeps all", async () => {
  await withStore(async (store, state) => {
    const all = [3, 2, 1].flatMap((age) => [bundleOf(age), bundleOf(age, "q"), bundleOf(age, "s")]);
    for (const bundle of all) {
      store.begin(bundle.exportId);
      store.commit(bundle);
    }
    const of = (bundles: number) => ({ bundles, bytes: 0 });
    const { maintenance, reported } = maintenanceOf(store, state, {
      profiles: ["p", "q", "r"],
      rules: new Map([["p", { keep: 1 }]]),
      made: (profile) => all.filter((one) => one.profile === profile),
    });
    await maintenance.tidy();
    const whole = new Map([["p", of(1)], ["q", of(3)], ["r", of(0)]]);
    assert.deepEqual(reported["counts"], [whole, of(3)], "s is of the configuration no more");
    await maintenance.tidy("p");
    assert.deepEqual(reported["counts"]!.slice(2), [new Map([["p", of(1)]]), undefined]);
    assert.deepEqual(store.list({ profile: "p" }), [placed(bundleOf(1))]);
    assert.deepEqual([...Deno.readDirSync(join(state, "tmp"))], [], "nothing is left behind");
  });
});

Deno.test("a scrub passes an intact store and finds a changed, a truncated and a missing file", async () => {
  await withStore(async (store) => {
    const bundles = [4, 3, 2, 1].map((age) => bundleOf(age));
    const places = [];
    for (const bundle of bundles) places.push(await put(store, bundle));
    const look = () =>
      scrub(store.list(), {
        store,
        rate: 1e12,
        elapsed: () => 0,
        signal: new AbortController().signal,
      });
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

/** For a start at which no scrub is due: it reports known damage. */
const known = (damage: unknown[]) => damage.length > 0;

/** Starts, waits until it has scrubbed or is done otherwise, and stops; what it reported. */
async function once(
  store: FileStore,
  state: string,
  more: Partial<MaintenanceOptions> = {},
  isDone: (damage: unknown[]) => boolean = () => false,
) {
  const scrubs: (readonly Damage[])[] = [];
  let lookUps = 0;
  store.find = (bundle) => (lookUps++, FileStore.prototype.find.call(store, bundle));
  const { maintenance, reported } = maintenanceOf(store, state, {
    scrubEvery: 7 * day,
    ...more,
    onScrubbed: (damaged) => {
      scrubs.push(damaged);
      changes.changed();
    },
  });
  maintenance.start();
  // A scrub looks up its first bundle before it waits for anything.
  const begun = lookUps > 0;
  const damage = () => reported["damage"] ?? [];
  await changes.until(() => scrubs.length > 0 || isDone(damage()));
  await maintenance.stop();
  return { maintenance, begun, scrubs, damage: damage() };
}

Deno.test("a restart does not repeat a scrub before it is due", async () => {
  await withStore(async (store, state) => {
    await put(store, bundleOf(1));
    const first = await once(store, state);
    assert.deepEqual([first.begun, first.scrubs], [true, [[]]]);
    const { begun, damage } = await once(store, state, {}, known);
    assert.equal(begun, false);
    assert.deepEqual(damage[0], [[], now], "when it was done is known at the start");
    const later = { now: () => now + 8 * day };
    assert.equal((await once(store, state, later)).scrubs.length, 1);
    Deno.writeTextFileSync(join(state, "scrubbed"), `${now}\n`);
    assert.equal(
      (await once(store, state, {}, known)).begun,
      false,
      "as earlier versions noted it",
    );
  });
});

Deno.test("damage is remembered over a restart until the bundle is removed or intact again", async () => {
  await withStore(async (store, state) => {
    const [first, second] = [bundleOf(2), bundleOf(1)];
    const places = [await put(store, first), await put(store, second)];
    const archives = places.map((place) => join(place, "p.tar.zst"));
    const whole = Deno.readFileSync(archives[0]!);
    for (const archive of archives) Deno.writeFileSync(archive, new Uint8Array(whole.length));
    const both = [["p.tar.zst", "p.tar.zst"], now];
    const { maintenance, damage } = await once(store, state);
    assert.deepEqual(damage.at(-1), both);
    assert.equal(maintenance.damageOf(first)?.path, "p.tar.zst");
    assert.equal(maintenance.damageOf(bundleOf(3)), undefined);
    Deno.writeFileSync(archives[0]!, whole);
    const isRead = (all: unknown[]) => JSON.stringify(all.at(-1)) !== JSON.stringify(both);
    const again = await once(store, state, {}, (all) => all.length > 0 && isRead(all));
    assert.deepEqual([again.damage[0], again.scrubs], [both, []]);
    assert.deepEqual(again.damage.at(-1), [["p.tar.zst"], now], "what was damaged is read again");
    assert.equal(again.maintenance.damageOf(first), undefined);
    const last = maintenanceOf(store, state);
    store.remove(second);
    last.maintenance.removed(second);
    await changes.until(() => last.reported["damage"] !== undefined);
    await last.maintenance.stop();
    assert.deepEqual(last.reported["damage"], [[[], now]]);
    const { bundles } = (last.reported["counts"]?.[0] as Map<string, StoredSize>).get("p")!;
    assert.equal(bundles, 1);
  });
});

/** Sizes of stored bundles, beside what lies on the disk. */
import assert from "node:assert/strict";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { attestationName } from "../../../src/bundle/manifest.ts";
import { Sizes, type StoredSize } from "../../../src/store/files/size.ts";
import { FileStore } from "../../../src/store/files/store.ts";
import { run } from "../../support/run_export.ts";

const sample = fileURLToPath(new URL("../../fixtures/sample", import.meta.url));

/** Everything below a directory, but the attestation, which no manifest lists. */
function onDisk(directory: string): number {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name !== attestationName)
    .map((name) => lstatSync(join(directory, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

Deno.test("bundles of any layout are counted by profile with their bytes, and read once", async () => {
  const state = Deno.makeTempDirSync({ prefix: "stella-sizes-" });
  try {
    const store = new FileStore(state);
    const bundles = (["archive", "directory"] as const).map((layout, n) => ({
      layout,
      bundle: {
        tenant: "default",
        profile: layout,
        exportId: `019b76da-a800-7000-8000-00000000000${n}`,
      },
    }));
    for (const { layout, bundle } of bundles) {
      await run(store.begin(bundle.exportId), sample, { profile: layout, layout });
      store.commit(bundle);
    }
    const sizes = new Sizes();
    const expected = bundles.map(({ layout, bundle }) =>
      [layout, { bundles: 1, bytes: onDisk(store.path(bundle)) }] as const
    );
    const all = async () => (await sizes.count(store, ["archive", "directory", "none"])).counts;
    const whole = new Map<string, StoredSize>([...expected, ["none", { bundles: 0, bytes: 0 }]]);
    assert.deepEqual(await all(), whole);
    for (const { bundle } of bundles) Deno.removeSync(join(store.path(bundle), "manifest.json"));
    assert.deepEqual(await all(), whole, "nothing was read again");
    sizes.forget([bundles[0]!.bundle]);
    const one = await sizes.count(store, ["archive"], { profile: "archive" });
    assert.deepEqual(one.counts, new Map([["archive", { bundles: 1, bytes: 0 }]]));
    const [, directory] = expected;
    const { counts, others } = await sizes.count(store, ["archive"]);
    assert.deepEqual([...counts.keys()], ["archive"]);
    assert.deepEqual(others, directory![1], "what is of no profile of the configuration");
  } finally {
    Deno.removeSync(state, { recursive: true });
  }
});

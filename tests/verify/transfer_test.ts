/**
 * Where the digest of a large file in an archive is computed: in a worker for a remote source, in
 * this thread for a local one.
 */
import assert from "node:assert/strict";
import { type ChunkPool, localPool } from "../../src/bundle/chunk_pool.ts";
import type { BundleSource } from "../../src/bundle/source.ts";
import { makeBundle, memorySource } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

const large = makeBundle({
  entries: [
    { path: "a.txt", content: "small\n" },
    { path: "b.bin", content: new Uint8Array(64 * 1024 * 1024) },
    { path: "c.txt", content: "small\n" },
  ],
});
const here = memorySource(large.files);
const { walk: _, ...afar } = here;

/** How many digests were requested from the worker pool. */
async function asked(source: BundleSource): Promise<number> {
  let digests = 0;
  const workers = (): ChunkPool => ({
    ...localPool,
    digestFile: () => {
      digests++;
      return localPool.digestFile();
    },
  });
  const { code, verdict } = await outcomeOf(source, [large.key.trusted], { workers });
  assert.deepEqual([code, verdict?.filesVerified], [0, 3]);
  return digests;
}

Deno.test("a worker hashes only the archive of a local bundle, and large files too from a registry or pipe", async () => {
  assert.equal(await asked(here), 1);
  assert.equal(await asked(afar), 2);
});

import assert from "node:assert/strict";
import { chunkWorkers } from "../../src/cli/chunk_worker.ts";

const hostile = new URL("./hostile_worker.ts", import.meta.url).href;

/**
 * What a worker could do that a malicious chunk has taken over; this process has all permissions.
 */
async function wentThrough(mayRead: boolean): Promise<unknown> {
  const pool = chunkWorkers({ mainUrl: hostile, stop: new AbortController().signal })(mayRead);
  try {
    const { stored } = await pool.digest(new Uint8Array(8)) as unknown as { stored: unknown };
    return stored;
  } finally {
    pool.close();
  }
}

Deno.test("a chunk worker has no permissions, and one that opens files has read permission only", async () => {
  assert.deepEqual(await wentThrough(false), []);
  assert.deepEqual(await wentThrough(true), ["read"]);
});

/** Workers for chunks: this program again, with no permissions at all; they are fed buffers and give buffers back. */
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import { workerPool } from "../bundle/chunk_workers.ts";

export { answerChunks } from "../bundle/chunk_workers.ts";

/** @param mainUrl the program's main module */
export function chunkWorkers(mainUrl: string): () => ChunkPool {
  return () =>
    workerPool(() =>
      new Worker(mainUrl, { type: "module", name: "chunks", deno: { permissions: "none" } })
    );
}

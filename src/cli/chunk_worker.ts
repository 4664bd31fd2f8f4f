/** Workers for chunks: this program again, with no permission but, if they open files, reading. */
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import { workerPool } from "../bundle/chunk_workers.ts";
import { interrupted } from "./event_loop.ts";
import type { Host } from "./host.ts";

export { answerChunks } from "../bundle/chunk_workers.ts";

export function chunkWorkers(
  { mainUrl, stop }: Pick<Host, "mainUrl" | "stop">,
): (mayRead: boolean) => ChunkPool {
  return (mayRead) => {
    const permissions = mayRead ? { ...nothing, read: true } : "none";
    const start = () =>
      new Worker(mainUrl, { type: "module", name: "chunks", deno: { permissions } });
    return workerPool({ start, mayRead, stop: { signal: stop, error: interrupted } });
  };
}

const nothing = {
  env: false,
  ffi: false,
  import: false,
  net: false,
  run: false,
  sys: false,
  write: false,
};

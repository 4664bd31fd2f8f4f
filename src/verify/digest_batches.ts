/** The files of the index handed to workers in batches, several under way at once, and judged in the index's order. */
import type { FileDigest } from "../bundle/file_digests.ts";
import { type IndexEntry, IndexFault } from "../bundle/index_file.ts";
import type { IndexReader } from "./index_reader.ts";

/** Files that a worker is told of at once. */
const batchLength = 64;

interface Batch {
  entries: IndexEntry[];
  found: Promise<FileDigest[]>;
}

/**
 * @param digest gives what was found at the paths, in their order
 * @param depth batches that are under way besides the one that is judged
 * @throws IndexFault once the entries before it are judged
 */
export async function digestInBatches(
  index: IndexReader,
  digest: (paths: string[]) => Promise<FileDigest[]>,
  depth: number,
  check: (entry: IndexEntry, found: FileDigest) => Promise<void>,
): Promise<void> {
  const batches: Batch[] = [];
  let next = await take(index);
  while (batches.length > 0 || next.entries.length > 0) {
    while (next.entries.length > 0 && batches.length <= depth) {
      batches.push(begin(next.entries, digest));
      next = next.fault === undefined ? await take(index) : { entries: [], fault: next.fault };
    }
    const { entries, found } = batches.shift()!;
    const digests = await found;
    for (const [i, entry] of entries.entries()) await check(entry, digests[i]!);
  }
  if (next.fault !== undefined) throw next.fault;
}

function begin(entries: IndexEntry[], digest: (paths: string[]) => Promise<FileDigest[]>): Batch {
  const found = digest(entries.map((entry) => entry.path));
  // Its turn may never come, where an earlier batch fails.
  found.catch(() => {});
  return { entries, found };
}

interface Taken {
  entries: IndexEntry[];
  /** What ended the index; the entries before it were read. */
  fault?: IndexFault;
}

async function take(index: IndexReader): Promise<Taken> {
  const entries: IndexEntry[] = [];
  try {
    while (entries.length < batchLength && await index.peek() !== undefined) {
      entries.push(index.take()!);
    }
    return { entries };
  } catch (fault) {
    if (fault instanceof IndexFault) return { entries, fault };
    throw fault;
  }
}

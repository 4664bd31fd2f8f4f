/** Sends the files of the index to workers in batches; checks the results in index order. */
import type { FileDigest } from "../bundle/file_digests.ts";
import { type IndexEntry, IndexFault } from "../bundle/index_file.ts";
import type { IndexReader } from "./index_reader.ts";

/** Files per batch. */
const batchLength = 64;

interface Batch {
  entries: IndexEntry[];
  found: Promise<FileDigest[]>;
}

/**
 * @param digest returns the results for the paths, in order
 * @param depth batches in progress apart from the one being checked
 * @throws IndexFault after the entries before it were checked
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
  // Nobody awaits this batch if an earlier one fails.
  found.catch(() => {});
  return { entries, found };
}

interface Taken {
  entries: IndexEntry[];
  /** The error that ended the index; the entries before it were read. */
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

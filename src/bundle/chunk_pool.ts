/**
 * Work on chunks: compress, decompress, digest. Small bundles do it in place; large ones on two workers, to which the buffers are
 * transferred, so that two cores hash and compress at once and nothing is copied. Both are the same `ChunkPool` to the callers.
 */
import type { FileDigest } from "./file_digests.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { type DeferredRegion, fillDeferredRegions } from "./input_file.ts";
import { chunkSize } from "./manifest.ts";
import type { PrivateFiles } from "./private_files.ts";
import { compressChunk, decompressChunk, maxStoredSize } from "./zstd_chunk.ts";

/** Room for a chunk or its frame, whichever is larger: work gives back the buffer that it was given, so that none is made anew. */
export const chunkBufferSize = maxStoredSize(chunkSize);

export function newChunkBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(chunkBufferSize);
}

/** Files that are read into a chunk by the pool. */
export interface DeferredFiles {
  regions: readonly DeferredRegion[];
  /** None of these is ever read. */
  privateFiles: PrivateFiles;
}

/** A stored chunk and its digest. */
export interface StoredChunk {
  stored: Uint8Array;
  sha256: string;
  /** Of the files that were read into its holes, in order. */
  digests: string[];
}

/** What came out of a stored chunk: its bytes, or why there are none. `sha256` is what was found. */
export interface OpenedChunk {
  bytes?: Uint8Array;
  sha256: string;
  /** Where the digest was right and the frame was not. */
  fault?: string;
}

/** The digest of a file that passes by in pieces; `update` gives the piece back. It is finished, or dropped. */
export interface StreamingDigest {
  update(piece: Uint8Array): Promise<Uint8Array>;
  /** @throws what any of its updates threw */
  finish(): Promise<string>;
  drop(): void;
}

/** Whoever gives a buffer to the pool does not use it again until it comes back. */
export interface ChunkPool {
  /** Chunks that are worth having under way at once. */
  readonly depth: number;
  /**
   * Reads files into the holes, then compresses.
   * @throws StellaError usage where a file changed, unsafe, media
   */
  compress(chunk: Uint8Array, files?: DeferredFiles): Promise<StoredChunk>;
  /** The same for a chunk that is stored as it is: takes its digest. */
  digest(chunk: Uint8Array, files?: DeferredFiles): Promise<StoredChunk>;
  open(stored: Uint8Array, expected: { sha256: string; size: number }): Promise<OpenedChunk>;
  digestFile(): StreamingDigest;
  /** See file_digests.ts; where the pool's workers may read. */
  digestFiles?(root: string, paths: readonly string[], max: number): Promise<FileDigest[]>;
  close(): void;
}

/**
 * Puts what zlib made into the buffer that it was made from: zlib's own buffers cannot be transferred, and a new one for each chunk
 * would outrun the garbage collector. In place that costs a copy and nothing else.
 */
function reuseBuffer(given: Uint8Array, made: Uint8Array): Uint8Array {
  if (given.buffer.byteLength < made.length) return new Uint8Array(made);
  const room = new Uint8Array(given.buffer, 0, made.length);
  room.set(made);
  return room;
}

/** The functions behind both pools; also what a worker does. */
export const chunkWork = {
  compress(chunk: Uint8Array, files?: DeferredFiles): StoredChunk {
    const digests = filled(chunk, files);
    const stored = compressChunk(chunk);
    return { stored: reuseBuffer(chunk, stored), sha256: sha256(stored), digests };
  },
  digest(chunk: Uint8Array, files?: DeferredFiles): StoredChunk {
    const digests = filled(chunk, files);
    return { stored: chunk, sha256: sha256(chunk), digests };
  },
  /** Nothing is decoded whose digest is not right. */
  open(stored: Uint8Array, expected: { sha256: string; size: number }): OpenedChunk {
    const found = sha256(stored);
    if (found !== expected.sha256) return { sha256: found };
    try {
      const bytes = decompressChunk(stored, expected.size);
      return { bytes: reuseBuffer(stored, bytes), sha256: found };
    } catch (error) {
      return { sha256: found, fault: (error as Error).message };
    }
  },
};

function filled(chunk: Uint8Array, files: DeferredFiles | undefined): string[] {
  return files === undefined ? [] : fillDeferredRegions(chunk, files.regions, files.privateFiles);
}

/** Does everything at once, in place. */
export const localPool: ChunkPool = {
  depth: 0,
  compress: (chunk, files) => Promise.try(() => chunkWork.compress(chunk, files)),
  digest: (chunk, files) => Promise.try(() => chunkWork.digest(chunk, files)),
  open: (stored, expected) => Promise.resolve(chunkWork.open(stored, expected)),
  digestFile: () => {
    const hash = startSha256();
    return {
      update: (piece) => {
        hash.update(piece);
        return Promise.resolve(piece);
      },
      finish: () => Promise.resolve(hash.digest("hex")),
      drop: () => {},
    };
  },
  close: () => {},
};

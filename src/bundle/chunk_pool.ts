/**
 * Compresses, decompresses and hashes chunks: in this thread for small bundles; for large ones on
 * two workers, to which buffers are transferred, so that two cores work at once without copying.
 * Both are the same `ChunkPool` for the caller.
 */
import { messageOf } from "../domain/errors.ts";
import type { FileDigest } from "./file_digests.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { type DeferredRegion, fillDeferredRegions } from "./input_file.ts";
import { chunkSize } from "./manifest.ts";
import type { PrivateFiles } from "./private_files.ts";
import { compressChunk, decompressChunk, maxStoredSize } from "./zstd_chunk.ts";

/** The size of a chunk or its frame, whichever is larger: results go into the given buffer. */
const chunkBufferSize = maxStoredSize(chunkSize);

export function newChunkBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(chunkBufferSize);
}

/** Files that the pool reads into a chunk; a private one is never read. */
export interface DeferredFiles {
  regions: readonly DeferredRegion[];
  privateFiles: PrivateFiles;
}

/** A stored chunk and its digest. */
export interface StoredChunk {
  stored: Uint8Array;
  sha256: string;
  /** Digests of the files that were read into its regions, in order. */
  digests: string[];
}

/** A decoded chunk with the digest found, or why there are no bytes. */
export interface OpenedChunk {
  bytes?: Uint8Array;
  sha256: string;
  /** Set if the digest matched but the frame is invalid. */
  fault?: string;
}

/** The digest of a file in pieces, which `update` gives back; finish or drop it. */
export interface StreamingDigest {
  update(piece: Uint8Array): Promise<Uint8Array>;
  /** @throws the error of any update */
  finish(): Promise<string>;
  drop(): void;
}

/** A caller that gives a buffer to the pool must not use it until it is returned. */
export interface ChunkPool {
  /** Number of chunks worth having in progress at once. */
  readonly depth: number;
  /** Fills the regions, then compresses. @throws StellaError conflict, unsafe, io */
  compress(chunk: Uint8Array, files?: DeferredFiles): Promise<StoredChunk>;
  /** The same for a chunk that is stored uncompressed: only computes its digest. */
  digest(chunk: Uint8Array, files?: DeferredFiles): Promise<StoredChunk>;
  open(stored: Uint8Array, expected: { sha256: string; size: number }): Promise<OpenedChunk>;
  digestFile(): StreamingDigest;
  /** See file_digests.ts; only if the pool's workers may read. */
  digestFiles?(root: string, paths: readonly string[], max: number): Promise<FileDigest[]>;
  close(): void;
}

/**
 * Copies zlib's output into the buffer of its input: zlib's own buffers cannot be transferred, and
 * a new one per chunk would outrun the garbage collector. A copy in place is cheap.
 */
function reuseBuffer(given: Uint8Array, made: Uint8Array): Uint8Array {
  if (given.buffer.byteLength < made.length) return new Uint8Array(made);
  const room = new Uint8Array(given.buffer, 0, made.length);
  room.set(made);
  return room;
}

/**
 * Frees the memory of zlib's output at once, which saves an export 14 MiB at its peak. After
 * decompression it would cost a verification 7 percent. A small buffer may be a shared one.
 */
function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 65_536) buffer.transfer(0);
}

/** The operations of both pools, also run by workers. */
export const chunkWork = {
  compress(chunk: Uint8Array, files?: DeferredFiles): StoredChunk {
    const digests = filled(chunk, files);
    const stored = compressChunk(chunk);
    const result = { sha256: sha256(stored), stored: reuseBuffer(chunk, stored), digests };
    release(stored);
    return result;
  },
  digest(chunk: Uint8Array, files?: DeferredFiles): StoredChunk {
    const digests = filled(chunk, files);
    return { stored: chunk, sha256: sha256(chunk), digests };
  },
  /** Nothing is decoded unless its digest matches. */
  open(stored: Uint8Array, expected: { sha256: string; size: number }): OpenedChunk {
    const found = sha256(stored);
    if (found !== expected.sha256) return { sha256: found };
    try {
      const bytes = decompressChunk(stored, expected.size);
      return { bytes: reuseBuffer(stored, bytes), sha256: found };
    } catch (error) {
      return { sha256: found, fault: messageOf(error) };
    }
  },
};

function filled(chunk: Uint8Array, files: DeferredFiles | undefined): string[] {
  return files === undefined ? [] : fillDeferredRegions(chunk, files.regions, files.privateFiles);
}

/** Does everything in this thread. */
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

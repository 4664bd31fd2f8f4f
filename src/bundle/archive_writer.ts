/**
 * Writes the archive: tar bytes are collected in a 4 MiB chunk, each full chunk is stored (as one
 * zstd frame, or as it is) and hashed, and volumes are cut at chunk boundaries while writing: no
 * second copy, no seek.
 *
 * With a pool of workers, chunks are processed while the next one is filled, and written in order.
 * Calls return a promise only if they have to wait: most entries fit into the current chunk.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import {
  type ChunkPool,
  newChunkBuffer,
  type StoredChunk,
  type StreamingDigest,
} from "./chunk_pool.ts";
import { writeAll } from "../domain/durable.ts";
import type { DeferredRegion, InputFile } from "./input_file.ts";
import {
  type BundleFile,
  type Chunk,
  chunkSize,
  type Compression,
  mediaTypes,
} from "./manifest.ts";
import type { PrivateFiles } from "./private_files.ts";
import { blockSize, encodeHeader, paddingOf, type TarEntry } from "./tar_header.ts";

export interface ArchiveOptions {
  directory: string;
  /** From archiveName; volumes append their number. */
  name: string;
  compression: Compression;
  /** Maximum size of a volume in bytes; undefined: a single archive. */
  volumeSize?: number;
  pool: ChunkPool;
  /** Files that must never be read, even by the pool. */
  privateFiles: PrivateFiles;
  /** Called with the digests of the deferred files, in order. */
  digested?: (digests: readonly string[]) => void;
}

interface OpenVolume {
  path: string;
  fd: number;
  digest: StreamingDigest;
  /** Pieces being hashed, in order. */
  passing: Promise<void>[];
  size: number;
  uncompressedSize: number;
  chunks: Chunk[];
}

export const maxVolumes = 999;

export function archiveName(profile: string, compression: Compression): string {
  return `${profile}.tar${compression === "zstd" ? ".zst" : ""}`;
}

/** `number` counts from 1. */
export function volumeName(archive: string, number: number): string {
  return `${archive}.${String(number).padStart(3, "0")}`;
}

/** A chunk in the pool, and the number of tar bytes in it. */
interface Pending {
  stored: Promise<StoredChunk>;
  length: number;
}

export class ArchiveWriter {
  #chunk = newChunkBuffer();
  #filled = 0;
  #regions: DeferredRegion[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  readonly #pending: Pending[] = [];
  #open: OpenVolume | undefined;
  readonly #done: BundleFile[] = [];

  constructor(readonly options: ArchiveOptions) {}

  header(entry: TarEntry): Promise<void> | undefined {
    return this.#append(encodeHeader(entry));
  }

  /** Free space in the current chunk, at least one byte; `advance` says how much was written. */
  writable(): Uint8Array {
    return this.#chunk.subarray(this.#filled, chunkSize);
  }

  advance(count: number): Promise<void> | undefined {
    this.#filled += count;
    return this.#filled === chunkSize ? this.#store() : undefined;
  }

  /** Leaves a file to the pool; false if the chunk has no room: then the caller has to read it. */
  defer(file: InputFile): boolean {
    if (file.size >= chunkSize - this.#filled) return false;
    this.#regions.push({ ...file, at: this.#filled });
    this.#filled += file.size;
    return true;
  }

  /** Zero padding after `size` bytes of content. */
  pad(size: number): Promise<void> | undefined {
    return this.#append(new Uint8Array(paddingOf(size)));
  }

  /** Ends the tar and syncs everything; returns the files as the manifest lists them. */
  async finish(): Promise<BundleFile[]> {
    await this.#append(new Uint8Array(2 * blockSize));
    if (this.#filled > 0) await this.#store();
    while (this.#pending.length > 0) await this.#writeOldest();
    await this.#closeVolume();
    if (this.options.volumeSize === undefined) return this.#done;
    const of = this.#done.length;
    return this.#done.map((file, i) => ({ ...file, volume: { index: i + 1, of } }));
  }

  /** Closes open files after an error. */
  abort(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #append(bytes: Uint8Array): Promise<void> | undefined {
    const writable = this.writable();
    if (bytes.length >= writable.length) return this.#appendAcross(bytes);
    writable.set(bytes);
    this.#filled += bytes.length;
    return undefined;
  }

  async #appendAcross(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const writable = this.writable();
      const part = bytes.subarray(at, at + writable.length);
      writable.set(part);
      at += part.length;
      await this.advance(part.length);
    }
  }

  /** Gives the full chunk to the pool; if enough are in progress, writes the oldest first. */
  async #store(): Promise<void> {
    const { pool, compression, privateFiles } = this.options;
    const chunk = this.#chunk.subarray(0, this.#filled);
    const files = { regions: this.#regions, privateFiles };
    const stored = compression === "zstd" ? pool.compress(chunk, files) : pool.digest(chunk, files);
    // Nobody awaits this chunk if an earlier one fails.
    stored.catch(() => {});
    this.#pending.push({ stored, length: this.#filled });
    this.#filled = 0;
    this.#regions = [];
    while (this.#pending.length > pool.depth) await this.#writeOldest();
    this.#chunk = this.#free.pop() ?? newChunkBuffer();
  }

  async #writeOldest(): Promise<void> {
    const { stored, length } = this.#pending.shift()!;
    const { stored: bytes, sha256, digests } = await stored;
    this.options.digested?.(digests);
    const volume = await this.#volumeFor(bytes.length);
    tryIo("Cannot write", volume.path, () => writeAll(volume.fd, bytes));
    volume.size += bytes.length;
    volume.uncompressedSize += length;
    volume.chunks.push({ size: bytes.length, sha256 });
    const passing = volume.digest.update(bytes).then(({ buffer }) => {
      this.#free.push(new Uint8Array(buffer as ArrayBuffer));
    });
    // Nobody awaits this update if an earlier one fails.
    passing.catch(() => {});
    volume.passing.push(passing);
    // Each holds a chunk in memory: half the depth of the pool is enough to keep the workers busy.
    while (volume.passing.length > this.options.pool.depth >> 1) await volume.passing.shift();
  }

  async #volumeFor(length: number): Promise<OpenVolume> {
    const { volumeSize = Infinity } = this.options;
    const open = this.#open;
    if (open !== undefined && (open.size === 0 || open.size + length <= volumeSize)) return open;
    if (open !== undefined) await this.#closeVolume();
    return this.#open = this.#openVolume();
  }

  #openVolume(): OpenVolume {
    const number = this.#done.length + 1;
    if (number > maxVolumes) {
      const text = `Cannot split the archive into more than ${maxVolumes} volumes`;
      throw new StellaError("argument_invalid", text, { hint: "choose a larger --volume-size" });
    }
    const path = join(this.options.directory, this.#name(number));
    const fd = tryIo("Cannot make", path, () => openSync(path, "wx", 0o644));
    const digest = this.options.pool.digestFile();
    return { path, fd, digest, passing: [], size: 0, uncompressedSize: 0, chunks: [] };
  }

  #name(number: number): string {
    const { name, volumeSize } = this.options;
    return volumeSize === undefined ? name : volumeName(name, number);
  }

  async #closeVolume(): Promise<void> {
    const volume = this.#open!;
    await Promise.all(volume.passing);
    const sha256 = await volume.digest.finish();
    this.#open = undefined;
    try {
      tryIo("Cannot sync", volume.path, () => fsyncSync(volume.fd));
    } finally {
      closeSync(volume.fd);
    }
    this.#done.push({
      path: this.#name(this.#done.length + 1),
      role: "archive",
      mediaType: this.options.compression === "zstd" ? mediaTypes.tarZstd : mediaTypes.tar,
      size: volume.size,
      sha256,
      uncompressedSize: volume.uncompressedSize,
      chunkSize,
      chunks: volume.chunks,
    });
  }
}

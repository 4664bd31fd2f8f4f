/**
 * The archive on its way out: tar bytes are collected in a 4 MiB chunk, each full chunk is stored (as one zstd frame, or as it is)
 * and its digest taken, and volumes are cut at chunk borders while they are written: no second copy, no seek.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import type { Hash } from "node:crypto";
import { join } from "node:path";
import { ioError, StellaError } from "../errors.ts";
import { writeAll } from "./durable.ts";
import { sha256, startSha256 } from "./hash.ts";
import {
  type BundleFile,
  type Chunk,
  chunkSize,
  type Compression,
  mediaTypes,
} from "./manifest.ts";
import { blockSize, encodeHeader, paddingOf, type TarEntry } from "./tar_header.ts";
import { compressChunk } from "./zstd_chunk.ts";

export interface ArchiveOptions {
  directory: string;
  /** By archiveName; volumes add their number. */
  name: string;
  compression: Compression;
  /** Bytes a volume may have; undefined: one archive. */
  volumeSize?: number;
}

interface OpenVolume {
  path: string;
  fd: number;
  hash: Hash;
  size: number;
  uncompressedSize: number;
  chunks: Chunk[];
}

export const mostVolumes = 999;

export function archiveName(profile: string, compression: Compression): string {
  return `${profile}.tar${compression === "zstd" ? ".zst" : ""}`;
}

/** `number` counts from 1. */
export function volumeName(archive: string, number: number): string {
  return `${archive}.${String(number).padStart(3, "0")}`;
}

export class ArchiveWriter {
  readonly #chunk = new Uint8Array(chunkSize);
  #filled = 0;
  #open: OpenVolume | undefined;
  readonly #done: OpenVolume[] = [];

  constructor(readonly options: ArchiveOptions) {}

  header(entry: TarEntry): void {
    this.#append(encodeHeader(entry));
  }

  /** Free room in the current chunk, at least one byte: fill some of it with content and say how much by `advance`. */
  room(): Uint8Array {
    return this.#chunk.subarray(this.#filled);
  }

  advance(count: number): void {
    this.#filled += count;
    if (this.#filled === chunkSize) this.#store();
  }

  /** The zero bytes after `size` bytes of content. */
  pad(size: number): void {
    this.#append(new Uint8Array(paddingOf(size)));
  }

  /** Two zero blocks, the last chunk, everything synced; returns the files as the manifest lists them. */
  finish(): BundleFile[] {
    this.#append(new Uint8Array(2 * blockSize));
    if (this.#filled > 0) this.#store();
    this.#closeVolume();
    return this.#done.map((volume, i) => this.#file(volume, i));
  }

  /** Gives up: closes what is open. */
  abort(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const room = this.room();
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      this.advance(part.length);
    }
  }

  #store(): void {
    const chunk = this.#chunk.subarray(0, this.#filled);
    const stored = this.options.compression === "zstd" ? compressChunk(chunk) : chunk;
    const volume = this.#volumeFor(stored.length);
    try {
      writeAll(volume.fd, stored);
    } catch (error) {
      throw ioError("Cannot write", volume.path, error);
    }
    volume.hash.update(stored);
    volume.size += stored.length;
    volume.uncompressedSize += chunk.length;
    volume.chunks.push({ size: stored.length, sha256: sha256(stored) });
    this.#filled = 0;
  }

  #volumeFor(length: number): OpenVolume {
    const limit = this.options.volumeSize;
    const open = this.#open;
    const full = limit !== undefined && open !== undefined && open.size > 0 &&
      open.size + length > limit;
    if (open !== undefined && !full) return open;
    if (open !== undefined) this.#closeVolume();
    return this.#open = this.#openVolume();
  }

  #openVolume(): OpenVolume {
    const number = this.#done.length + 1;
    if (number > mostVolumes) {
      throw new StellaError(
        "usage",
        `Cannot cut the archive into more than ${mostVolumes} volumes`,
        {
          hint: "choose a larger --volume-size",
        },
      );
    }
    const path = join(this.options.directory, this.#name(number));
    try {
      const fd = openSync(path, "wx", 0o644);
      return { path, fd, hash: startSha256(), size: 0, uncompressedSize: 0, chunks: [] };
    } catch (error) {
      throw ioError("Cannot make", path, error);
    }
  }

  #name(number: number): string {
    const { name, volumeSize } = this.options;
    return volumeSize === undefined ? name : volumeName(name, number);
  }

  #closeVolume(): void {
    const volume = this.#open!;
    this.#open = undefined;
    try {
      fsyncSync(volume.fd);
    } catch (error) {
      throw ioError("Cannot sync", volume.path, error);
    } finally {
      closeSync(volume.fd);
    }
    this.#done.push(volume);
  }

  #file(volume: OpenVolume, i: number): BundleFile {
    const { compression, volumeSize } = this.options;
    const numbered = volumeSize !== undefined;
    return {
      path: this.#name(i + 1),
      role: "archive",
      mediaType: compression === "zstd" ? mediaTypes.tarZstd : mediaTypes.tar,
      size: volume.size,
      sha256: volume.hash.digest("hex"),
      uncompressedSize: volume.uncompressedSize,
      chunkSize,
      chunks: volume.chunks,
      ...(numbered ? { volume: { index: i + 1, of: this.#done.length } } : {}),
    };
  }
}

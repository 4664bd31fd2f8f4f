/** Writes the bytes of the payload: into the archive, or into files below `payload/`. */
import { chmodSync, closeSync, fchmodSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { tryIo } from "../domain/io_errors.ts";
import { archiveName, ArchiveWriter } from "../bundle/archive_writer.ts";
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import { syncDirectory, writeAll } from "../domain/durable.ts";
import type { InputFile } from "../bundle/input_file.ts";
import type { BundleFile } from "../bundle/manifest.ts";
import type { Plan } from "./plan.ts";

/** Bytes per read. */
export const readLength = 1024 * 1024;

export interface Payload {
  begin(path: string, size: number, executable: boolean): Promise<void> | void;
  /** Whether reading the current file is deferred; its digest is then delivered later. */
  defer?(file: InputFile): boolean;
  /** A buffer to read into, of at least one byte; report the number of bytes with `advance`. */
  writable(): Uint8Array;
  advance(count: number): Promise<void> | void;
  end(size: number): Promise<void> | void;
  finish(): BundleFile[] | Promise<BundleFile[]>;
  abort(): void;
}

/** @param digested called with the digests of the deferred files, in order */
export function archivePayload(
  { spec, created }: Plan,
  directory: string,
  pool: ChunkPool,
  digested: (digests: readonly string[]) => void,
): Payload {
  const { profile, compression, volumeSize, privateFiles } = spec;
  const name = archiveName(profile, compression);
  const writer = new ArchiveWriter({
    ...{ pool, digested, privateFiles, directory, name, compression },
    ...(volumeSize === undefined ? {} : { volumeSize }),
  });
  return {
    begin: (path, size, executable) =>
      writer.header({ path, size, mode: executable ? 0o755 : 0o644, mtime: created }),
    defer: (file) => writer.defer(file),
    writable: () => writer.writable(),
    advance: (count) => writer.advance(count),
    end: (size) => writer.pad(size),
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}

/** With more files syncing each one costs more than it saves: the system writes them by itself. */
const maxSynced = 10_000;

/** The payload as files below `payload/`, modes 0644 and 0755 whatever the umask. */
export class FilesPayload implements Payload {
  /** From `payload` to the current one. In sorted order no folder is entered twice. */
  readonly #folders: string[] = [];
  readonly #buffer = new Uint8Array(readLength);
  readonly #sync: boolean;
  #path = "";
  #fd: number | undefined;

  constructor({ files }: Plan, readonly directory: string) {
    this.#sync = files <= maxSynced;
  }

  begin(path: string): void {
    const parts = ["payload", ...path.split("/")];
    this.#path = join(this.directory, ...parts);
    tryIo("Cannot make", this.#path, () => {
      this.#enter(parts.slice(0, -1));
      this.#fd = openSync(this.#path, "wx", 0o644);
      fchmodSync(this.#fd, 0o644);
    });
  }

  writable(): Uint8Array {
    return this.#buffer;
  }

  advance(count: number): void {
    const bytes = this.#buffer.subarray(0, count);
    tryIo("Cannot write", this.#path, () => writeAll(this.#fd!, bytes));
  }

  end(): void {
    if (this.#sync) tryIo("Cannot sync", this.#path, () => fsyncSync(this.#fd!));
    this.abort();
  }

  finish(): BundleFile[] {
    this.#leave(0);
    return [];
  }

  #enter(parts: string[]): void {
    const same = parts.findIndex((part, i) => part !== this.#folders[i]);
    this.#leave(same < 0 ? parts.length : same);
    for (const part of parts.slice(this.#folders.length)) {
      const folder = join(this.directory, ...this.#folders, part);
      mkdirSync(folder);
      chmodSync(folder, 0o755);
      this.#folders.push(part);
    }
  }

  /** Leaves folders until `depth` are left; each is synced, so that its names are durable. */
  #leave(depth: number): void {
    while (this.#folders.length > depth) {
      if (this.#sync) syncDirectory(join(this.directory, ...this.#folders));
      this.#folders.pop();
    }
  }

  abort(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

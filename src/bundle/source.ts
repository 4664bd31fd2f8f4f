/**
 * Source of a bundle's files: a directory or mounted stick; registries and streams implement it
 * elsewhere. Files are read in order, once, into the caller's buffer.
 */
import { closeSync, fstatSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type Reason, StellaError } from "../domain/errors.ts";
import { startSha256 } from "../domain/hash.ts";
import { errnoOf, ioError, ioReason, tryIo } from "../domain/io_errors.ts";
import { shown } from "../domain/names.ts";
import { openToRead } from "../domain/regular_file.ts";

export interface ByteReader {
  readonly size: number;
  /** Fills `buffer`; gives fewer bytes only at the end. @throws StellaError io */
  read(buffer: Uint8Array): number | Promise<number>;
  /** The same from byte `offset` on; absent if the source can only be read in order. */
  readAt?(buffer: Uint8Array, offset: number): number;
  close(): void;
}

export interface BundleSource {
  /** For messages. */
  readonly name: string;
  /** The directory with its files, if there is one, for workers that read by themselves. */
  readonly root?: string;
  /** Files arrive once and in a fixed order; files that are not opened are skipped. */
  readonly sequential?: true | undefined;
  /** Opens a regular file by its path relative to the manifest; undefined if there is none. */
  open(path: string): ByteReader | undefined | Promise<ByteReader | undefined>;
  /** Lists everything below a directory; absent if the source cannot list files. */
  walk?(directory: string, max?: number): Iterable<ListedEntry> | AsyncIterable<ListedEntry>;
}

/**
 * Size of a directory itself, some 50,000 names, above which it is not listed: Deno lists all of it
 * at once, whatever memory that takes, and on removable media anybody may have filled it.
 */
export const maxDirectoryBytes = 4 * 1024 * 1024;

const digestBlock = 1024 * 1024;

export interface ListedEntry {
  path: string;
  fault?: string;
  /** The directory was larger than allowed and was not listed. */
  isOverLimit?: true;
}

/**
 * The same source with another `open`. Written out, because spreading a class instance would lose
 * its methods: without `walk` nobody would look for unlisted files.
 */
export function withOpen(source: BundleSource, open: BundleSource["open"]): BundleSource {
  const { name, root, sequential, walk } = source;
  return {
    name,
    open,
    ...(root === undefined ? {} : { root }),
    ...(sequential === undefined ? {} : { sequential }),
    ...(walk === undefined ? {} : { walk: walk.bind(source) }),
  };
}

/** A bundle in the directory `root`. Links and special files are refused, never followed. */
export function directorySource(root: string): BundleSource {
  const opener = new Opener(root);
  return {
    name: root,
    root,
    open: (path) => opener.open(path),
    walk: (directory, max) => walk(root, directory, max),
  };
}

/**
 * Never lists through a link: all of elsewhere would turn into findings.
 * @param max see maxDirectoryBytes
 */
function* walk(root: string, directory: string, max = Infinity): Generator<ListedEntry> {
  const full = join(root, directory);
  const stat = lstat(full);
  if (stat === undefined) return;
  if (stat.isFile) return yield { path: directory, fault: "a file in place of a directory" };
  if (!stat.isDirectory) return yield { path: directory, fault: kindOf(stat) };
  if (stat.size > max) return yield { path: directory, isOverLimit: true };
  for (const entry of tryIo("Cannot list", full, () => Deno.readDirSync(full))) {
    const path = `${directory}/${entry.name}`;
    if (entry.name.includes("\ufffd")) yield { path, fault: "something whose name is not UTF-8" };
    else if (entry.isDirectory) yield* walk(root, path, max);
    else if (entry.isFile) yield { path };
    else yield { path, fault: entry.isSymlink ? "a symbolic link" : "a device, pipe or socket" };
  }
}

/**
 * Opens regular files below `root`. O_NOFOLLOW has no effect under Deno's scoped permissions, so
 * each part of the path is examined by lstat first and compared with the opened handle.
 */
export class Opener {
  /** The last directory that was checked: the files of a payload come directory by directory. */
  #folder = "";

  /**
   * @param watched false: the handle is not compared after opening, which costs more than reading a
   * small file. Only for bytes that are used only if their digest matches.
   */
  constructor(readonly root: string, readonly watched = true) {}

  open(path: string): FileReader | undefined {
    const full = join(this.root, path);
    const seen = this.#lookAt(path);
    if (seen === undefined) return undefined;
    const file = tryIo("Cannot open", full, () => openToRead(full));
    if (!this.watched) return new FileReader(file, seen.size, full);
    const now = fstatSync(file);
    if (now.dev !== seen.dev || now.ino !== seen.ino || !now.isFile()) {
      closeSync(file);
      const text = `Cannot read ${shown(full)}: it changed while it was opened`;
      const hint = "verify again when nothing writes there";
      throw new StellaError("file_changed", text, { hint });
    }
    return new FileReader(file, now.size, full);
  }

  #lookAt(path: string): Deno.FileInfo | undefined {
    const end = path.lastIndexOf("/");
    const folder = path.slice(0, Math.max(end, 0));
    if (folder !== this.#folder && !this.#isFolder(folder)) return undefined;
    this.#folder = folder;
    const full = join(this.root, path);
    const stat = lstat(full);
    if (stat === undefined || stat.isFile) return stat;
    throw notRegular(full, stat);
  }

  /** Whether all parts are directories; listing reports a file in their place. */
  #isFolder(folder: string): boolean {
    let full = this.root;
    for (const part of folder.split("/")) {
      full = join(full, part);
      const stat = lstat(full);
      if (stat === undefined || stat.isFile) return false;
      if (!stat.isDirectory) throw notRegular(full, stat);
    }
    return true;
  }
}

function notRegular(full: string, stat: Deno.FileInfo): StellaError {
  return new StellaError("unsafe_entry", `Cannot read ${shown(full)}: it is ${kindOf(stat)}`, {
    hint: "replace it with a regular file: it was not opened",
  });
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    const code = errnoOf(error);
    // A path that is too long for this system does not exist on it.
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG") return undefined;
    throw ioError("Cannot look at", path, error);
  }
}

/** Describes what is not a regular file. */
export function kindOf(stat: Deno.FileInfo | Stats): string {
  const [link, directory, file] = "isSymlink" in stat
    ? [stat.isSymlink, stat.isDirectory, stat.isFile]
    : [stat.isSymbolicLink(), stat.isDirectory(), stat.isFile()];
  if (link) return "a symbolic link";
  if (directory) return "a directory";
  return file ? "a regular file" : "a device, pipe or socket";
}

class FileReader implements ByteReader {
  #file: number | undefined;
  #at = 0;

  constructor(file: number, readonly size: number, readonly path: string) {
    this.#file = file;
  }

  read(buffer: Uint8Array): number {
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const n = readSync(this.#open(), buffer, filled, buffer.length - filled, null);
        if (n === 0 && this.#at < this.size) throw new Error(this.#cut());
        if (n === 0) break;
        filled += n;
        this.#at += n;
        // The next read shows whether the file has grown; checking here would cost a call per small
        // file.
        if (this.#at === this.size) break;
      }
    } catch (error) {
      throw this.#failed(error);
    }
    return filled;
  }

  readAt(buffer: Uint8Array, offset: number): number {
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const left = buffer.length - filled;
        const n = readSync(this.#open(), buffer, filled, left, offset + filled);
        if (n === 0) break;
        filled += n;
      }
    } catch (error) {
      throw this.#failed(error);
    }
    return filled;
  }

  #open(): number {
    if (this.#file === undefined) throw new Error("it is closed");
    return this.#file;
  }

  #failed(cause: unknown): StellaError {
    const text = `Cannot read ${shown(this.path)}: ${ioReason(cause)}`;
    return new StellaError("medium_failed", text, {
      cause,
      hint: "clean, reconnect or copy the medium and verify again: this is no verdict on the " +
        "content",
    });
  }

  #cut(): string {
    return `it ended after ${this.#at} of the ${this.size} bytes that it had when it was opened`;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** The same reader with another `read`. */
export function readerOf(reader: ByteReader, read: ByteReader["read"]): ByteReader {
  return { size: reader.size, close: () => reader.close(), read };
}

export type Read = (reader: ByteReader, buffer: Uint8Array) => ReturnType<ByteReader["read"]>;

/** The same source, each file of which is read by `read`. */
export function withRead(source: BundleSource, read: Read): BundleSource {
  return withOpen(source, async (path) => {
    const reader = await source.open(path);
    return reader && readerOf(reader, (buffer) => read(reader, buffer));
  });
}

/**
 * SHA-256 and length; ends soon after `max` bytes, because more cannot match.
 * @param onRead awaited with the bytes read since the last call
 */
export async function digestOf(
  reader: ByteReader,
  max: number,
  onRead: (bytes: number) => void | Promise<void>,
): Promise<{ sha256: string; size: number }> {
  const hash = startSha256();
  const buffer = new Uint8Array(Math.min(digestBlock, max + 1));
  let size = 0;
  for (let n = await reader.read(buffer); n > 0; n = await reader.read(buffer)) {
    hash.update(buffer.subarray(0, n));
    size += n;
    await onRead(n);
    if (size > max) break;
  }
  return { sha256: hash.digest("hex"), size };
}

/** Reads bytes that are in memory. */
export function memoryReader(bytes: Uint8Array): ByteReader {
  let at = 0;
  const read = (buffer: Uint8Array) => {
    const part = bytes.subarray(at, at + buffer.length);
    buffer.set(part);
    at += part.length;
    return part.length;
  };
  return { size: bytes.length, read, close: () => {} };
}

/**
 * A whole small file; undefined if there is none.
 * @throws StellaError of the reason `tooLarge` if it has more than `max` bytes
 */
export async function readSmall(
  source: BundleSource,
  path: string,
  max: number,
  tooLarge: Reason = "manifest_invalid",
): Promise<Uint8Array | undefined> {
  const reader = await source.open(path);
  if (reader === undefined) return undefined;
  try {
    // One byte beyond the limit distinguishes a file that grew from one that fits.
    const buffer = new Uint8Array(Math.min(reader.size, max) + 1);
    const length = await reader.read(buffer);
    if (length > max) {
      throw new StellaError(tooLarge, `Cannot read ${shown(path)}: it has more than ${max} bytes`);
    }
    return buffer.subarray(0, length);
  } finally {
    reader.close();
  }
}

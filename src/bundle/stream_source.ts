/**
 * Reads a bundle from one stream, as the service sends it (`/v1/exports/{id}/bundle.tar`):
 * manifest.json, its signatures, the index, then the other files in manifest order, in plain ustar
 * as TarStream writes it. Nothing is read twice and nothing is stored on disk: only the index is
 * kept in memory, because the archive is verified against it.
 */
import { type Finding, finding, type Reason, StellaError } from "../domain/errors.ts";
import { Findings } from "./finding_list.ts";
import { attestationName, hmacName, indexName, type Manifest, manifestName } from "./manifest.ts";
import { comparePaths } from "../domain/paths.ts";
import { type BundleSource, type ByteReader, memoryReader } from "./source.ts";
import { readStreamHeader, type StreamEntry } from "./stream_header.ts";
import { blockSize, paddingOf } from "./tar_header.ts";
import { createdSeconds } from "../domain/time.ts";

/** Limit for the index in memory in bytes: about a million files with paths of 60 bytes. */
export const maxBufferedIndexBytes = 128 * 1024 * 1024;

/** Writes bytes at the start of the buffer and returns their number; null at the end. */
export type Pull = (buffer: Uint8Array) => Promise<number | null>;

/** The entries before the sorted files. */
const heads = [manifestName, attestationName, hmacName, indexName];
/** The whole stream, in findings. */
const streamName = "bundle.tar";
const passed = 1024 * 1024;
const readAhead = 64 * 1024;

export class StreamSource implements BundleSource {
  #index: Uint8Array | undefined;
  /** The entry whose header was read, and its unread bytes including padding. */
  #entry: StreamEntry | undefined;
  #left = 0;
  /** Whether the entry was handed to a reader. */
  #given = false;
  /** Bytes that were pulled but not read, and their buffer. */
  #ahead: Uint8Array = new Uint8Array();
  readonly #room = new Uint8Array(readAhead);
  #at = 0;
  #ended = false;
  /** The next file may be opened before the reader of the last one has finished. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The previous path, and whether the current one is in order after it. */
  #last: string | undefined;
  #inOrder = true;
  /** The entries that belong to the bundle. */
  readonly #own: StreamEntry[] = [];
  readonly #findings = new Findings();
  readonly sequential = true;

  constructor(readonly name: string, readonly pull: Pull) {}

  /**
   * Files must be opened in the order of the stream; one that is not at its position is missing.
   * @throws StellaError manifest, unexpected: not a bundle; usage: it cannot be a stream
   */
  open(path: string): Promise<ByteReader | undefined> {
    if (path.includes("/")) throw noDirectory(this.name);
    return this.#alone(() => this.#find(path));
  }

  /**
   * Faults of the stream itself: what `tar -x` extracts must be exactly what was verified. Call it
   * after the verdict; it reads to the end of the stream, or to the first byte that is not tar.
   */
  finish(manifest: Manifest): Promise<Finding[]> {
    return this.#alone(async () => {
      try {
        for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
          await this.#pass(next);
        }
        if (await this.#fill(new Uint8Array(1)) > 0) this.#findings.add(trailing(this.#at - 1));
        for (const entry of this.#own) this.#checkHeader(entry, manifest);
      } catch (error) {
        if (!(error instanceof StellaError) || error.kind !== "unexpected") throw error;
        this.#findings.add(fault("header_differs", streamName, error.message));
      }
      return this.#findings.all();
    });
  }

  #checkHeader({ path, mode, mtime }: StreamEntry, { files, created }: Manifest): void {
    const expected = files.some((file) => file.path === path && file.executable) ? 0o755 : 0o644;
    if (mode !== expected) this.#findings.add(modeDiffers(path, mode, expected));
    const seconds = createdSeconds(created) ?? 0;
    if (mtime !== seconds) this.#findings.add(timeDiffers(path, mtime, seconds));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #find(path: string): Promise<ByteReader | undefined> {
    for (;;) {
      if (path === indexName && this.#index !== undefined) return memoryReader(this.#index);
      const next = await this.#next();
      const isPast = next !== undefined && isBefore(next.path, path);
      if (next === undefined || (next.path !== path && !isPast)) return undefined;
      if (next.path === indexName && this.#index === undefined) await this.#hold(next);
      else if (next.path === path) return this.#give(next);
      else await this.#pass(next);
    }
  }

  /** The next entry that was not handed out; undefined at the end. */
  async #next(): Promise<StreamEntry | undefined> {
    if (this.#entry !== undefined && !this.#given) return this.#entry;
    if (this.#entry !== undefined) await this.#leave(this.#entry);
    if (this.#ended) return undefined;
    const block = new Uint8Array(blockSize);
    const length = await this.#fill(block);
    if (length < blockSize || block.every((byte) => byte === 0)) return await this.#end(length);
    const entry = readStreamHeader(block);
    if (entry === undefined) throw noHeader(this.name, this.#at - blockSize);
    this.#given = false;
    this.#left = entry.size;
    this.#inOrder = this.#last === undefined || isBefore(this.#last, entry.path);
    this.#last = entry.path;
    return this.#entry = entry;
  }

  async #end(length: number): Promise<undefined> {
    this.#ended = true;
    const second = new Uint8Array(blockSize);
    if (length === blockSize) length += await this.#fill(second);
    if (length < 2 * blockSize) this.#findings.add(cut(this.#at));
    else if (second.some((byte) => byte !== 0)) {
      this.#findings.add(trailing(this.#at - blockSize));
    }
    return undefined;
  }

  #give(entry: StreamEntry): ByteReader {
    this.#own.push(entry);
    this.#given = true;
    const isOpen = () => this.#entry === entry;
    return {
      size: entry.size,
      read: (buffer) => this.#alone(() => isOpen() ? this.#content(buffer) : Promise.resolve(0)),
      close: () => {},
    };
  }

  async #content(buffer: Uint8Array): Promise<number> {
    const length = await this.#fill(buffer.subarray(0, Math.min(buffer.length, this.#left)));
    this.#left -= length;
    return length;
  }

  /** A reader that accepts a file reads it to its end, so remaining bytes belong to nothing. */
  async #leave(entry: StreamEntry): Promise<void> {
    this.#entry = undefined;
    if (await this.#skip(this.#left) > 0) this.#findings.add(unread(entry.path));
    const padding = new Uint8Array(paddingOf(entry.size));
    await this.#fill(padding);
    if (padding.some((byte) => byte !== 0)) this.#findings.add(badPadding(entry.path));
  }

  /** Skips an entry; unused signatures are valid, once and at their position. */
  async #pass(entry: StreamEntry): Promise<void> {
    if (heads.includes(entry.path) && this.#inOrder) this.#own.push(entry);
    else this.#findings.add(extra(entry.path));
    this.#given = true;
    await this.#skip(this.#left);
    this.#left = 0;
  }

  async #hold(entry: StreamEntry): Promise<void> {
    if (entry.size > maxBufferedIndexBytes) throw largeIndex(this.name, entry.size);
    const bytes = new Uint8Array(entry.size);
    this.#own.push(entry);
    this.#given = true;
    this.#index = bytes.subarray(0, await this.#content(bytes));
  }

  /** @returns the number of bytes that were skipped */
  async #skip(count: number): Promise<number> {
    const room = new Uint8Array(Math.min(count, passed));
    let skipped = 0;
    while (skipped < count) {
      const length = await this.#fill(room.subarray(0, Math.min(room.length, count - skipped)));
      if (length === 0) break;
      skipped += length;
    }
    return skipped;
  }

  /** A header has 512 bytes: with millions of small files, one read per header would dominate. */
  async #pull(buffer: Uint8Array): Promise<number | null> {
    if (this.#ahead.length === 0) {
      if (buffer.length >= readAhead) return await this.pull(buffer);
      const length = await this.pull(this.#room);
      if (length === null) return null;
      this.#ahead = this.#room.subarray(0, length);
    }
    const part = this.#ahead.subarray(0, buffer.length);
    buffer.set(part);
    this.#ahead = this.#ahead.subarray(part.length);
    return part.length;
  }

  /** Returns fewer bytes than the buffer holds only at the end. */
  async #fill(buffer: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const length = await this.#pull(buffer.subarray(filled));
      if (length === null) break;
      filled += length;
      this.#at += length;
    }
    return filled;
  }
}

function isBefore(a: string, b: string): boolean {
  const rank = (path: string) => heads.includes(path) ? heads.indexOf(path) : heads.length;
  return rank(a) !== rank(b) ? rank(a) < rank(b) : comparePaths(a, b) < 0;
}

function noHeader(name: string, at: number): StellaError {
  const text =
    `Cannot read a bundle from ${name}: not a stella stream (unexpected data at byte ${at})`;
  return new StellaError(at === 0 ? "manifest_invalid" : "header_differs", text, {
    hint: "send the response of /v1/exports/{id}/bundle.tar, or name the directory of the bundle",
  });
}

function noDirectory(name: string): StellaError {
  const text = `Cannot read a bundle from ${name}: its layout is directory`;
  return new StellaError("layout_unsuitable", text, {
    hint: "name the directory of the bundle: one with the layout directory cannot be streamed",
  });
}

function largeIndex(name: string, size: number): StellaError {
  const text = `Cannot read a bundle from ${name}: its index has ${size} bytes, and at most ` +
    `${maxBufferedIndexBytes} are held in memory`;
  return new StellaError("layout_unsuitable", text, {
    hint: "save the stream, unpack it with tar, and name the directory",
  });
}

function fault(reason: Reason, path: string, found: string): Finding {
  const hint = "get the stream again from its origin: it is not as stella sends it";
  return finding(reason, { path, found, hint });
}

const unread = (path: string) => fault("trailing_data", path, "more bytes than the manifest says");
const badPadding = (path: string) =>
  fault("padding_differs", path, "bytes that are not zero after the content");
const extra = (path: string) =>
  fault("entry_unexpected", path, "not listed in the manifest at this position of the stream");
const trailing = (at: number) =>
  fault("trailing_data", streamName, `bytes after the end of the stream, from byte ${at}`);

function modeDiffers(path: string, found: number, expected: number): Finding {
  const text = (mode: number) => `mode ${mode.toString(8).padStart(4, "0")}`;
  return { ...fault("mode_differs", path, text(found)), expected: text(expected) };
}

function timeDiffers(path: string, found: number, expected: number): Finding {
  const text = (seconds: number) => `time ${new Date(seconds * 1000).toISOString()}`;
  return { ...fault("mtime_differs", path, text(found)), expected: text(expected) };
}

function cut(at: number): Finding {
  return finding("truncated", {
    path: streamName,
    found: `the stream ends at byte ${at}, without its end blocks`,
    hint: "send the stream again: it is truncated",
  });
}

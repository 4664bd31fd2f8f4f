/**
 * Merges index and archive, two sorted streams, in one pass. For each path of the index the
 * expected header is encoded and compared, the content hashed and the padding checked; two zero
 * blocks must follow, and nothing else.
 *
 * After damage the merge resumes at the first header of a later entry and reports the files in
 * between as not verified. These findings are only details if the digest of the stored bytes, or of
 * the index, already differs.
 */
import { Buffer } from "node:buffer";
import { type Finding, finding } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import type { StreamingDigest } from "../bundle/chunk_pool.ts";
import { type IndexEntry, IndexFault } from "../bundle/index_file.ts";
import { indexName } from "../bundle/manifest.ts";
import { matchHeader } from "../bundle/match_header.ts";
import { blockSize, paddingOf, type TarEntry } from "../bundle/tar_header.ts";
import { digestDiffers } from "./findings.ts";
import { Findings } from "../bundle/finding_list.ts";
import type { IndexReader } from "./index_reader.ts";
import type { OnFile } from "./files.ts";
import type { TarCursor } from "./tar_cursor.ts";
import { explainHeader, ownPath, readHeader } from "./tar_entry.ts";

/** How many index entries are searched for a header found after damage. */
const searchDepth = 100_000;

/** Hashing of files that span several pieces, by size, and the callback for payload files. */
export interface MergePass {
  digestOf(size: number): StreamingDigest;
  onFile: OnFile | undefined;
}

export interface Merged {
  files: number;
  bytes: number;
  findings: Findings;
}

/** @param mtime seconds of the manifest's `created`, which every header must state */
export async function mergeArchive(
  index: IndexReader,
  cursor: TarCursor,
  archive: string,
  mtime: number,
  pass: MergePass,
): Promise<Merged> {
  const merge = new Merge(index, cursor, archive, mtime, pass);
  try {
    await merge.run();
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    merge.found.findings.add(indexFinding(error));
    await merge.drain();
  }
  return merge.found;
}

export function indexFinding(fault: IndexFault): Finding {
  return finding(fault.unsafe ? "entry_path" : "index_malformed", {
    path: indexName,
    line: fault.line,
    found: fault.reason,
    hint: "get the bundle again: the index is not as stella writes it",
  });
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

class Merge {
  readonly found: Merged = { files: 0, bytes: 0, findings: new Findings() };

  constructor(
    readonly index: IndexReader,
    readonly cursor: TarCursor,
    readonly archive: string,
    readonly mtime: number,
    readonly pass: MergePass,
  ) {}

  async run(): Promise<void> {
    for (let next = await this.index.peek(); next !== undefined; next = await this.index.peek()) {
      if (!await this.#entry(next) && !await this.#goOn()) return;
    }
    await this.#end();
  }

  /** Reads the archive to its end, so that its digests are complete. */
  async drain(): Promise<void> {
    while (!this.cursor.ended) {
      this.cursor.gap = false;
      this.cursor.span(Infinity);
      await this.cursor.load();
    }
  }

  /** Processes one entry; false if the position in the archive was lost. */
  async #entry(next: IndexEntry): Promise<boolean> {
    const header = await readHeader(this.cursor);
    if (header === undefined) return false;
    const entry = matchHeader(header, next.path, this.mtime);
    if (entry === undefined) return this.#explain(header, next.path);
    const digest = await this.#content(
      entry,
      this.pass.onFile?.({ ...next, size: entry.size, mode: entry.mode }),
    );
    if (digest === undefined) return false;
    this.#checkPadding(entry);
    this.index.take();
    if (digest === next.sha256) {
      this.found.files++;
      this.found.bytes += entry.size;
    } else this.#add(digestDiffers(next.path, next.sha256, digest));
    return true;
  }

  /** True if the position is known: `expected` is missing, the header is of a later entry. */
  #explain(header: Buffer, expected: string): boolean {
    const difference = explainHeader(header, expected);
    this.#add({ ...difference, path: difference.path ?? expected });
    const again = this.cursor.back(header.length);
    if (difference.reason !== "entry_missing") return false;
    this.index.take();
    return again && ownPath(header, this.mtime) !== undefined;
  }

  /** SHA-256 of the entry's content; undefined if the archive ends or a piece is missing. */
  async #content(entry: TarEntry, take: ReturnType<OnFile>): Promise<string | undefined> {
    if (entry.size <= this.cursor.ready) {
      const span = this.cursor.span(entry.size);
      take?.(span);
      return sha256(span);
    }
    return await this.#parted(entry.size, take);
  }

  /** Content of several pieces: a worker hashes one while the next is read. */
  async #parted(size: number, take: ReturnType<OnFile>): Promise<string | undefined> {
    const running = this.pass.digestOf(size);
    for (let left = size; left > 0;) {
      if (this.cursor.ready === 0 && !await this.cursor.load()) return void running.drop();
      await this.cursor.transfer(left, (span) => {
        take?.(span);
        left -= span.length;
        return running.update(span);
      });
    }
    return await running.finish();
  }

  /** Pieces are whole blocks, so the padding is in the last piece of the content. */
  #checkPadding(entry: TarEntry): void {
    if (isZero(this.cursor.span(paddingOf(entry.size)))) return;
    const found = "bytes that are not zero after the content";
    this.#add(finding("padding_differs", { path: entry.path, found }));
  }

  /** After damage: finds the next header of a later entry; false if there is none. */
  async #goOn(): Promise<boolean> {
    for (;;) {
      this.cursor.gap = false;
      const block = await this.cursor.block();
      if (block === undefined && !this.cursor.gap) break;
      const path = block &&
        ownPath(Buffer.from(block.buffer, block.byteOffset, blockSize), this.mtime);
      if (path === undefined || !await this.index.has(path, searchDepth)) continue;
      this.cursor.back(blockSize);
      await this.#reportSkipped(path);
      return true;
    }
    await this.#reportSkipped(undefined);
    return false;
  }

  /** Skips the entries before `path` (undefined: all) and reports them as one finding. */
  async #reportSkipped(path: string | undefined): Promise<void> {
    let count = 0;
    let first = "";
    let last = "";
    for (let e = await this.index.peek(); e && e.path !== path; e = await this.index.peek()) {
      if (count++ === 0) first = e.path;
      last = e.path;
      this.index.take();
    }
    if (count === 0) return;
    const range = count === 1 ? first : `${first} to ${last}`;
    this.#add(finding("not_judged", {
      path: first,
      found: `${count === 1 ? "1 file was" : `${count} files were`} not checked (${range})`,
      hint: "see the other findings: data before these files is damaged or missing",
    }));
  }

  /** After the last entry: two zero blocks, then the end. */
  async #end(): Promise<void> {
    const fault = await this.#endFault();
    if (fault !== undefined && !this.cursor.gap) this.#add({ path: this.archive, ...fault });
    await this.drain();
  }

  async #endFault(): Promise<Finding | undefined> {
    for (let i = 0; i < 2; i++) {
      const header = await readHeader(this.cursor);
      if (header === undefined) {
        return finding("truncated", { found: "a tar without its end blocks" });
      }
      if (header.some((byte) => byte !== 0)) return explainHeader(header, undefined);
    }
    if (this.cursor.ready === 0 && !await this.cursor.load()) return undefined;
    return finding("trailing_data", { found: "bytes after the end of the tar" });
  }

  #add(found: Finding): void {
    this.found.findings.add(found);
  }
}

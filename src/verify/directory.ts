/**
 * Checks a payload stored as files under `payload/`: opens and hashes every path of the index, then
 * counts the existing files. Only if the numbers differ is the index read again and are names
 * compared, so that a million files need little memory.
 *
 * Workers that may read hash small files in batches; findings are reported in index order.
 */
import { type Finding, finding } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { type FileDigest, smallFile } from "../bundle/file_digests.ts";
import { type IndexEntry, IndexFault } from "../bundle/index_file.ts";
import { indexName } from "../bundle/manifest.ts";
import { type ByteReader, maxDirectoryBytes } from "../bundle/source.ts";
import { absent, digestDiffers, sizeDiffers, unsafe } from "./findings.ts";
import { Findings } from "../bundle/finding_list.ts";
import { digestInBatches } from "./digest_batches.ts";
import { type OnFile, openFile, type Pass } from "./files.ts";
import { IndexReader } from "./index_reader.ts";
import { indexFinding, type Merged } from "./merge.ts";

const payloadFolder = "payload";

/** Bytes of directory size per byte of index, half-empty blocks included. */
const directoryBytesPerIndexByte = 4;

function inPayload(path: string): string {
  return `${payloadFolder}/${path}`;
}

/** @param max size of the whole payload in bytes: no file of it is larger */
export async function checkDirectory(index: IndexReader, max: number, pass: Pass): Promise<Merged> {
  const check = new DirectoryCheck(index, max, pass);
  try {
    await check.run();
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    check.findings.add(indexFinding(error));
  }
  return { files: check.files, bytes: check.bytes, findings: check.findings };
}

class DirectoryCheck {
  files = 0;
  bytes = 0;
  readonly findings = new Findings();
  /** Listed paths that are regular files, matching or not. */
  #opened = 0;
  #buffer: Uint8Array = new Uint8Array(1024 * 1024);

  constructor(readonly index: IndexReader, readonly max: number, readonly pass: Pass) {}

  async run(): Promise<void> {
    const { source, pool, onFile } = this.pass;
    const { root } = source;
    // With `onFile` the bytes are needed in this thread.
    if (root === undefined || pool.digestFiles === undefined || onFile !== undefined) {
      await this.#oneByOne();
    } else {
      const max = Math.min(this.max, smallFile);
      const digest = (paths: string[]) => pool.digestFiles!(root, paths.map(inPayload), max);
      await digestInBatches(this.index, digest, pool.depth, (e, found) => this.#check(e, found));
    }
    if (this.pass.source.walk !== undefined) await this.#extras();
  }

  async #oneByOne(): Promise<void> {
    for (let e = await this.index.peek(); e !== undefined; e = await this.index.peek()) {
      await this.#file(e.path, e.sha256);
      this.index.take();
    }
  }

  async #check({ path, sha256 }: IndexEntry, found: FileDigest): Promise<void> {
    const full = inPayload(path);
    if ("larger" in found) return await this.#file(path, sha256);
    if ("absent" in found) return this.findings.add(absent({ path: full }));
    if ("unsafe" in found) return this.findings.add(unsafe(full, found.unsafe));
    this.#opened++;
    this.pass.progress(found.size);
    this.#compare(path, sha256, found.sha256, found.size);
  }

  #compare(path: string, expected: string, found: string, size: number): void {
    if (found !== expected) {
      return this.findings.add(digestDiffers(inPayload(path), expected, found));
    }
    this.files++;
    this.bytes += size;
  }

  async #file(path: string, expected: string): Promise<void> {
    const full = inPayload(path);
    const reader = await openFile(this.pass.source, { path: full }, this.findings);
    if (reader === undefined) return;
    try {
      this.#opened++;
      // A planted file of the size of a disk would keep the verifier busy for hours.
      if (reader.size > this.max) {
        const atMost = `at most ${this.max} bytes, the size of the whole payload`;
        return this.findings.add(sizeDiffers({ path: full, size: this.max }, reader.size, atMost));
      }
      const take = this.pass.onFile?.({ path, size: reader.size, mode: 0o644, sha256: expected });
      const { digest, size } = await this.#digest(reader, take);
      this.#compare(path, expected, digest, size);
    } finally {
      reader.close();
    }
  }

  async #digest(
    reader: ByteReader,
    take: ReturnType<OnFile>,
  ): Promise<{ digest: string; size: number }> {
    const n = await reader.read(this.#buffer);
    this.pass.progress(n);
    if (n < this.#buffer.length) {
      const content = this.#buffer.subarray(0, n);
      take?.(content);
      return { digest: sha256(content), size: n };
    }
    return await this.#large(reader, this.#buffer, take);
  }

  /** Reads the next block while the previous one is hashed. */
  async #large(
    reader: ByteReader,
    first: Uint8Array,
    take: ReturnType<OnFile>,
  ): Promise<{ digest: string; size: number }> {
    const running = this.pass.pool.digestFile();
    let size = first.length;
    let block = first;
    let spare: Uint8Array = new Uint8Array(first.length);
    for (let n = first.length; n > 0;) {
      take?.(block.subarray(0, n));
      const passing = running.update(block.subarray(0, n));
      // Nobody awaits this update if the next read fails.
      passing.catch(() => {});
      n = await reader.read(spare);
      this.pass.progress(n);
      size += n;
      const passed = await passing;
      [block, spare] = [spare, new Uint8Array(passed.buffer)];
    }
    this.#buffer = block;
    return { digest: await running.finish(), size };
  }

  /** Every listed path was opened: an equal count means that there are no other files. */
  async #extras(): Promise<void> {
    let there = 0;
    let isOverLimit = false;
    for await (const found of this.#walk()) {
      if (found.isOverLimit) this.findings.add(tooManyEntries(found.path));
      else if (found.fault !== undefined) this.findings.add(notAFile(found.path, found.fault));
      else there++;
      isOverLimit ||= found.isOverLimit === true;
    }
    if (there === this.#opened && !isOverLimit) return;
    const named = await this.#nameExtras();
    if (named === 0 && !isOverLimit) this.findings.add(unstable(there, this.#opened));
  }

  /** Anybody may add files there: an unbounded list would let them choose the memory used. */
  #walk() {
    return this.pass.source.walk!(
      payloadFolder,
      maxDirectoryBytes + directoryBytesPerIndexByte * this.index.size,
    );
  }

  async #nameExtras(): Promise<number> {
    const listed = await this.#listed();
    let extras = 0;
    for await (const { path, fault, isOverLimit } of this.#walk()) {
      if (fault !== undefined || isOverLimit || listed.has(path)) continue;
      this.findings.add(extra(path));
      extras++;
    }
    return extras;
  }

  async #listed(): Promise<Set<string>> {
    const listed = new Set<string>();
    const reader = await openFile(this.pass.source, { path: indexName }, this.findings);
    if (reader === undefined) return listed;
    try {
      const index = new IndexReader(reader, this.index.size);
      for (let e = await index.peek(); e !== undefined; e = await index.peek()) {
        listed.add(inPayload(e.path));
        index.take();
      }
    } finally {
      reader.close();
    }
    return listed;
  }
}

/** The counts differ although every name is listed. */
function unstable(there: number, opened: number): Finding {
  return finding("entry_unexpected", {
    path: payloadFolder,
    found: `${there} files`,
    expected: `${opened} files`,
    hint: "copy the bundle elsewhere: the directory is being changed, or its file system cannot " +
      "tell two names apart",
  });
}

function notAFile(path: string, fault: string): Finding {
  const hint = "remove it: a bundle holds regular files only";
  return finding("unsafe_entry", { path, found: `it is ${fault}`, hint });
}

function tooManyEntries(path: string): Finding {
  return finding("entry_unexpected", {
    path,
    found: "a directory too large to list: it has, or had, far more names than the index",
    hint: "remove what the index does not list, and copy the bundle again",
  });
}

function extra(path: string): Finding {
  const hint = "find out who added it, then remove it";
  return finding("entry_unexpected", { path, found: "not listed in the index", hint });
}

/**
 * Reads the archive chunk by chunk across its volumes: each stored byte once, with the digest of
 * every file, and for zstd the digest of every chunk before it is decoded. Damage becomes a finding
 * and a gap; the rest is still returned.
 *
 * Chunks are read ahead as far as the pool has workers; findings are reported in the order of the
 * bytes.
 */
import { type Finding, finding } from "../domain/errors.ts";
import { localPool, type StreamingDigest } from "../bundle/chunk_pool.ts";
import { type BundleFile, type Chunk, chunkSize, mediaTypes } from "../bundle/manifest.ts";
import type { ByteReader } from "../bundle/source.ts";
import { digestDiffers, trailing } from "./findings.ts";
import { openFile, type Pass } from "./files.ts";
import type { Piece, Pieces } from "./tar_cursor.ts";

/** Work in progress: gives the piece when its turn comes; nothing for the end of a volume. */
type Step = Promise<() => Piece | undefined>;

interface OpenFile {
  file: BundleFile;
  reader: ByteReader | undefined;
  digest: StreamingDigest;
  next: number;
  at: number;
  damaged: boolean;
}

export class ArchiveReader implements Pieces {
  /** The largest chunk, stored or decoded: small bundles need little memory. */
  readonly #bufferSize: number;
  readonly #free: Uint8Array[] = [];
  readonly #steps: Step[] = [];
  #handedOut: Uint8Array | undefined;
  /** The piece being hashed by a worker: at most one, to bound memory. */
  #transferred: Promise<void> | undefined;
  #current: OpenFile | undefined;
  #volume = 0;
  /** Whether a stored digest differed: then errors in the tar are only a consequence. */
  damaged = false;

  constructor(readonly volumes: BundleFile[], readonly pass: Pass) {
    this.#bufferSize = largestChunk(volumes);
  }

  /** Closes files that an error left open. */
  close(): void {
    this.#current?.reader?.close();
  }

  /** The next piece, or undefined after the last. */
  async next(): Promise<Piece | undefined> {
    this.#reclaim();
    for (;;) {
      while (this.#steps.length <= this.pass.pool.depth && await this.#readAhead());
      const step = this.#steps.shift();
      if (step === undefined) return undefined;
      const piece = (await step)();
      if (piece === undefined) continue;
      this.#handedOut = piece.bytes;
      return piece;
    }
  }

  async transfer(back: Promise<Uint8Array>): Promise<void> {
    const before = this.#transferred;
    this.#handedOut = undefined;
    this.#transferred = back.then((bytes) => this.#recycle(bytes));
    // The caller that transfers the next piece gets the error, and so does the digest.
    this.#transferred.catch(() => {});
    await before;
  }

  replace(piece: Uint8Array): void {
    this.#handedOut = piece;
  }

  /** Starts work on the next chunk, or on the end of a volume; false after the last one. */
  async #readAhead(): Promise<boolean> {
    this.#current ??= await this.#openNext();
    const open = this.#current;
    if (open === undefined) return false;
    const chunk = open.file.chunks![open.next];
    const { step } = chunk === undefined
      ? { step: this.#finish(open) }
      : await this.#chunk(open, chunk);
    if (chunk === undefined) this.#current = undefined;
    // Nobody awaits this step if another chunk fails first.
    step.catch(() => {});
    this.#steps.push(step);
    return true;
  }

  async #openNext(): Promise<OpenFile | undefined> {
    const file = this.volumes[this.#volume++];
    if (file === undefined) return undefined;
    const reader = await openFile(this.pass.source, file, this.pass.findings);
    if (reader === undefined) this.damaged = true;
    const digest = reader === undefined ? localPool.digestFile() : this.pass.pool.digestFile();
    return { file, reader, digest, next: 0, at: 0, damaged: reader === undefined };
  }

  /** Reads a chunk and starts its work, wrapped: awaiting the read must not await it. */
  async #chunk(open: OpenFile, chunk: Chunk): Promise<{ step: Step }> {
    const from = open.at;
    const index = open.next++;
    open.at += chunk.size;
    if (open.reader === undefined) return { step: Promise.resolve(() => ({ bytes: undefined })) };
    const stored = (this.#free.pop() ?? new Uint8Array(this.#bufferSize)).subarray(0, chunk.size);
    const length = await open.reader.read(stored);
    this.pass.progress(length);
    if (length < chunk.size) return { step: this.#cut(open, from + length) };
    return { step: this.#work(open, stored, index, from) };
  }

  #work(open: OpenFile, stored: Uint8Array, index: number, from: number): Step {
    const plain = open.file.mediaType === mediaTypes.tar;
    return plain ? this.#pass(open, stored) : this.#decode(open, stored, index, from);
  }

  /** Only feeds the digest of the file; damage shows in the entry that differs. */
  async #pass(open: OpenFile, stored: Uint8Array): Step {
    const bytes = await open.digest.update(stored);
    return () => ({ bytes });
  }

  async #decode(open: OpenFile, stored: Uint8Array, index: number, from: number): Step {
    const range: [number, number] = [from, from + stored.length];
    const expected = open.file.chunks![index]!.sha256;
    const size = Math.min(chunkSize, open.file.uncompressedSize! - index * chunkSize);
    const passed = await open.digest.update(stored);
    const opened = await this.pass.pool.open(passed, { sha256: expected, size });
    const { path } = open.file;
    return () => {
      if (opened.bytes !== undefined) return { bytes: opened.bytes };
      const fault = opened.fault === undefined
        ? digestDiffers(path, expected, opened.sha256)
        : notDecodable(path, index, opened.fault);
      return { bytes: this.#damage(open, { ...fault, range }) };
    };
  }

  #damage(open: OpenFile, found: Finding): undefined {
    open.damaged = true;
    this.damaged = true;
    this.pass.findings.add(found);
  }

  #cut(open: OpenFile, at: number): Step {
    open.reader?.close();
    open.reader = undefined;
    const { path, size } = open.file;
    const cut = finding("truncated", {
      path,
      range: [at, size],
      found: `${at} bytes`,
      expected: `${size} bytes`,
      hint: "copy the file again: the copy is incomplete",
    });
    return Promise.resolve(() => ({ bytes: this.#damage(open, cut) }));
  }

  async #finish(open: OpenFile): Step {
    const { reader, file, digest } = open;
    if (reader === undefined) {
      digest.drop();
      return () => undefined;
    }
    const more = await reader.read(new Uint8Array(1)) > 0;
    reader.close();
    const found = await digest.finish();
    return () => {
      if (more) this.#damage(open, trailing(file, reader.size));
      // A damaged chunk has already been reported, with its position.
      if (found !== file.sha256 && !open.damaged) {
        this.#damage(open, digestDiffers(file.path, file.sha256, found));
      }
      return undefined;
    };
  }

  /** The previous piece is no longer in use: recycle its buffer. */
  #reclaim(): void {
    if (this.#handedOut !== undefined) this.#recycle(this.#handedOut);
    this.#handedOut = undefined;
  }

  #recycle(bytes: Uint8Array): void {
    if (bytes.buffer.byteLength === this.#bufferSize) this.#free.push(new Uint8Array(bytes.buffer));
  }
}

function largestChunk(volumes: BundleFile[]): number {
  let largest = 1;
  for (const { chunks = [], uncompressedSize = 0 } of volumes) {
    largest = Math.max(largest, Math.min(uncompressedSize, chunkSize));
    for (const { size } of chunks) largest = Math.max(largest, size);
  }
  return largest;
}

function notDecodable(path: string, index: number, fault: string): Finding {
  return finding("chunk_not_decodable", {
    path,
    found: `chunk ${index}: ${fault}`,
    hint: "report this to the sender of the bundle: stella does not write such a chunk",
  });
}

/**
 * The archive, chunk by chunk, over all its volumes: reads each stored byte once, takes the digest of every file, and for zstd
 * the digest of every chunk before it is decoded. What is damaged is a finding and a gap; the rest is still handed on.
 */
import type { Hash } from "node:crypto";
import type { Finding } from "../errors.ts";
import { sha256, startSha256 } from "../bundle/hash.ts";
import { type BundleFile, type Chunk, chunkSize, mediaTypes } from "../bundle/manifest.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { decompressChunk } from "../bundle/zstd_chunk.ts";
import { digestDiffers, type Findings, trailing } from "./findings.ts";
import { openFile, type Progress } from "./files.ts";

/** A piece of the tar: its bytes, or `undefined` where they could not be had. The bytes live until the next call. */
export interface Piece {
  bytes: Uint8Array | undefined;
}

interface OpenFile {
  file: BundleFile;
  reader: ByteReader | undefined;
  hash: Hash;
  next: number;
  at: number;
  damaged: boolean;
}

function largestChunk(volumes: BundleFile[]): number {
  let largest = 1;
  for (const { chunks = [] } of volumes) {
    for (const { size } of chunks) largest = Math.max(largest, size);
  }
  return largest;
}

export class ArchiveReader {
  /** Room for the largest chunk that there is: a small bundle needs little. */
  readonly #buffer: Uint8Array;
  #current: OpenFile | undefined;
  #volume = 0;
  /** Whether a stored digest differed: then what the tar says is a detail of that. */
  damaged = false;

  constructor(
    readonly source: BundleSource,
    readonly volumes: BundleFile[],
    readonly findings: Findings,
    readonly progress: Progress,
  ) {
    this.#buffer = new Uint8Array(largestChunk(volumes));
  }

  /** Closes what an error left open. */
  close(): void {
    this.#current?.reader?.close();
  }

  /** The next piece, or undefined after the last. */
  async next(): Promise<Piece | undefined> {
    for (;;) {
      this.#current ??= await this.#openNext();
      if (this.#current === undefined) return undefined;
      const chunk = this.#current.file.chunks![this.#current.next];
      if (chunk === undefined) {
        await this.#finish(this.#current);
        this.#current = undefined;
      } else {
        return { bytes: await this.#chunk(this.#current, chunk) };
      }
    }
  }

  async #openNext(): Promise<OpenFile | undefined> {
    const file = this.volumes[this.#volume++];
    if (file === undefined) return undefined;
    const reader = await openFile(this.source, file, this.findings);
    if (reader === undefined) this.damaged = true;
    return { file, reader, hash: startSha256(), next: 0, at: 0, damaged: reader === undefined };
  }

  async #chunk(open: OpenFile, chunk: Chunk): Promise<Uint8Array | undefined> {
    const from = open.at;
    const index = open.next++;
    open.at += chunk.size;
    if (open.reader === undefined) return undefined;
    const stored = this.#buffer.subarray(0, chunk.size);
    const length = await open.reader.read(stored);
    this.progress(length);
    if (length < chunk.size) return this.#cut(open, from + length);
    open.hash.update(stored);
    return this.#decode(open, stored, index, from);
  }

  #decode(open: OpenFile, stored: Uint8Array, index: number, from: number): Uint8Array | undefined {
    if (open.file.mediaType === mediaTypes.tar) return stored;
    const expected = open.file.chunks![index]!.sha256;
    const found = sha256(stored);
    const range: [number, number] = [from, from + stored.length];
    if (found !== expected) {
      return this.#damage(open, { ...digestDiffers(open.file.path, expected, found), range });
    }
    const size = Math.min(chunkSize, open.file.uncompressedSize! - index * chunkSize);
    try {
      return decompressChunk(stored, size);
    } catch (error) {
      const what = `chunk ${index}: ${(error as Error).message}`;
      return this.#damage(open, {
        code: "unexpected",
        reason: "chunk_not_decodable",
        path: open.file.path,
        range,
        found: what,
        hint: "the signed chunk is not what stella writes: ask its maker",
      });
    }
  }

  #damage(open: OpenFile, finding: Finding): undefined {
    open.damaged = true;
    this.damaged = true;
    this.findings.add(finding);
  }

  #cut(open: OpenFile, at: number): undefined {
    open.reader?.close();
    open.reader = undefined;
    return this.#damage(open, {
      code: "truncated",
      reason: "truncated",
      path: open.file.path,
      range: [at, open.file.size],
      found: `${at} bytes`,
      expected: `${open.file.size} bytes`,
      hint: "the copy is not complete: copy the file again",
    });
  }

  async #finish(open: OpenFile): Promise<void> {
    if (open.reader === undefined) return;
    if (await open.reader.read(this.#buffer.subarray(0, 1)) > 0) {
      this.#damage(open, trailing(open.file, open.reader.size));
    }
    open.reader.close();
    const found = open.hash.digest("hex");
    // A damaged chunk has already said it, and where.
    if (found === open.file.sha256 || open.damaged) return;
    this.#damage(open, digestDiffers(open.file.path, open.file.sha256, found));
  }
}

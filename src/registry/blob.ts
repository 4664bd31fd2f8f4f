/**
 * Blobs to push. A file is hashed while it is sent, and its last piece is held back until the
 * digest is known to match.
 */
import { Buffer } from "node:buffer";
import { shown } from "../domain/names.ts";
import { type Digest, startSha256 } from "../domain/hash.ts";
import type { BundleFile } from "../bundle/manifest.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { type Reason, StellaError } from "../domain/errors.ts";
import { digestOf } from "./artifact.ts";
import { type Body, bodyOf } from "../net/message.ts";

/** Content with its required digest. */
export interface Blob extends Body {
  digest: Digest;
  /** A program in the bundle is never cut into volumes. */
  isProgram?: boolean;
}

const piece = 1024 * 1024;

export function memoryBlob(bytes: Uint8Array): Blob {
  return { ...bodyOf(bytes), digest: digestOf(bytes) };
}

/**
 * A file of a bundle; sending it fails if it is missing or differs from the manifest. If it is
 * `verified` elsewhere, only the registry checks the digest.
 */
export function fileBlob(source: BundleSource, file: BundleFile, verified = false): Blob {
  return {
    digest: `sha256:${file.sha256}`,
    size: file.size,
    isProgram: file.role === "program",
    async *open(from = 0) {
      const reader = await source.open(file.path);
      if (reader === undefined) throw unfit("file_missing", file, "not found");
      try {
        yield* read(reader, file, from, verified);
      } finally {
        reader.close();
      }
    },
  };
}

/** Reads a blob in order; it is reopened only if the next piece does not follow the last. */
export class BlobCursor {
  #pieces: AsyncIterator<Uint8Array> | undefined;
  #held: Uint8Array | undefined;
  #at = 0;
  /** Incremented with every use: an abandoned request may still hold an earlier reader. */
  #turn = 0;

  constructor(readonly blob: Blob) {}

  /** Goes to `offset`; this may take a while, because everything before it is read again. */
  async seek(offset: number): Promise<void> {
    if (this.#pieces !== undefined && this.#at === offset) return;
    await this.close();
    this.#pieces = this.blob.open(offset)[Symbol.asyncIterator]();
    this.#at = offset;
    this.#held = (await this.#pieces.next()).value;
  }

  /** Yields `length` bytes from `offset`. */
  async *take(offset: number, length: number): AsyncIterable<Uint8Array> {
    await this.seek(offset);
    const turn = ++this.#turn;
    for (let left = length; left > 0;) {
      const bytes = this.#held ?? (await this.#pieces!.next()).value;
      if (turn !== this.#turn) return;
      if (bytes === undefined) throw new Error(`${this.blob.digest} ends too early`);
      const now = bytes.subarray(0, left);
      this.#held = now.length < bytes.length ? bytes.subarray(now.length) : undefined;
      this.#at += now.length;
      left -= now.length;
      yield now;
    }
  }

  async close(): Promise<void> {
    this.#turn++;
    await this.#pieces?.return?.();
    this.#pieces = this.#held = undefined;
  }
}

/** The same blob, with `sent` called as bytes are sent. */
export function counted(blob: Blob, sent: (bytes: number) => void): Blob {
  return {
    ...blob,
    async *open(from = 0) {
      let done = from;
      for await (const bytes of blob.open(from)) {
        yield bytes;
        sent(done += bytes.length);
      }
    },
  };
}

async function* read(
  reader: ByteReader,
  file: BundleFile,
  from: number,
  verified: boolean,
): AsyncIterable<Uint8Array> {
  if (reader.size !== file.size) {
    throw unfit("size_differs", file, `it has ${reader.size} bytes, not ${file.size}`);
  }
  const hash = startSha256();
  let silent = 0;
  // Three buffers in rotation: a yielded piece may still be in the socket when the next is read.
  const ring = [0, 1, 2].map(() => Buffer.allocUnsafe(Math.min(piece, file.size)));
  for (let left = file.size, turn = 0; left > 0; turn++) {
    const bytes = ring[turn % ring.length]!.subarray(0, left);
    if (await reader.read(bytes) < bytes.length) {
      throw unfit("size_changed", file, "it became shorter while it was read");
    }
    if (!verified) hash.update(bytes);
    left -= bytes.length;
    // Without its last piece the registry cannot complete the blob.
    if (left === 0 && !verified) checkDigest(file, hash.digest("hex"));
    const skipped = Math.max(0, from - (file.size - left - bytes.length));
    if (skipped < bytes.length) yield bytes.subarray(skipped);
    // Skipping what the registry already has must not block signals and timers.
    else if (++silent % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function checkDigest(file: BundleFile, found: string): void {
  if (found !== file.sha256) {
    throw unfit("digest_mismatch", file, `its sha256 is ${found}, not ${file.sha256}`);
  }
}

function unfit(reason: Reason, file: BundleFile, found: string): StellaError {
  return new StellaError(reason, `Cannot push ${shown(file.path)}: ${found}`, {
    hint: "verify the bundle, and export or copy it again",
  });
}

/**
 * Fetches the blobs of images while the archive is written, without storing them: small ones ahead
 * of the writer and side by side, large ones one at a time, at the writer's pace.
 */
import { type ByteReader, memoryReader } from "../bundle/source.ts";
import type { Digest } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import { RemoteError } from "../net/failure.ts";
import { manifestTypes } from "../registry/artifact.ts";
import { openBlobReader } from "../registry/blob_reader.ts";
import type { ImageBlob } from "./plan.ts";

/** Bytes of the largest blob that is fetched ahead, and of all that wait. */
const maxSmall = 8 * 1024 * 1024;
const maxAhead = 48 * 1024 * 1024;
const lanes = 8;

export class BlobFetcher {
  readonly #ahead = new Map<Digest, Promise<Uint8Array>>();
  /** The first blob that was not looked at for fetching ahead. */
  #next = 0;
  #active = 0;
  /** Bytes that wait, or are on their way. */
  #held = 0;
  #isClosed = false;

  /** @param blobs in the order in which they will be opened */
  constructor(readonly blobs: readonly ImageBlob[]) {}

  /** The content of a blob; whoever reads it checks the digest. @throws RemoteError */
  async open(blob: ImageBlob): Promise<ByteReader> {
    if (blob.bytes !== undefined) return memoryReader(blob.bytes);
    this.#fetchAhead();
    if (!isSmall(blob)) return await openLarge(blob);
    const ahead = this.#ahead.get(blob.digest);
    const reader = memoryReader(await (ahead ?? wholeOf(blob)));
    const close = () => {
      if (!this.#ahead.delete(blob.digest)) return;
      this.#held -= blob.size;
      this.#fetchAhead();
    };
    return { size: reader.size, read: (buffer) => reader.read(buffer), close };
  }

  /** Nothing more is fetched ahead. */
  close(): void {
    this.#isClosed = true;
    this.#ahead.clear();
  }

  #fetchAhead(): void {
    for (; !this.#isClosed && this.#active < lanes; this.#next++) {
      const blob = this.blobs[this.#next];
      if (blob === undefined) return;
      if (blob.bytes !== undefined || !isSmall(blob)) continue;
      if (this.#held + blob.size > maxAhead) return;
      this.#held += blob.size;
      this.#active++;
      const fetched = wholeOf(blob).finally(() => {
        this.#active--;
        this.#fetchAhead();
      });
      // A failure is reported when it is the blob's turn.
      fetched.catch(() => {});
      this.#ahead.set(blob.digest, fetched);
    }
  }
}

function isSmall({ size, isManifest }: ImageBlob): boolean {
  return isManifest || size <= maxSmall;
}

async function openLarge(blob: ImageBlob): Promise<ByteReader> {
  const { from, digest, size } = blob;
  const reader = await openBlobReader(from, { mediaType: "", digest, size });
  if (reader === undefined) throw gone(blob);
  if (reader.size === size) return reader;
  reader.close();
  throw otherSize(blob, reader.size);
}

async function wholeOf(blob: ImageBlob): Promise<Uint8Array> {
  if (blob.isManifest) return await manifestOf(blob);
  const reader = await openLarge(blob);
  try {
    const bytes = new Uint8Array(blob.size);
    const count = await reader.read(bytes);
    if (count === bytes.length) return bytes;
    throw otherSize(blob, count);
  } finally {
    reader.close();
  }
}

async function manifestOf(blob: ImageBlob): Promise<Uint8Array> {
  const stored = await blob.from.fetch(blob.digest, manifestTypes);
  if (stored === undefined) throw gone(blob);
  return stored.bytes;
}

function gone({ image, digest }: ImageBlob): RemoteError {
  const text = `Cannot read ${digest} of the image ${shown(image)}: the registry does not have it`;
  return new RemoteError("rejected", text, {
    hint: "check the registry's storage: its manifests refer to it",
  });
}

function otherSize({ image, digest, size }: ImageBlob, found: number): RemoteError {
  const what = `it has ${found} bytes, but is declared with ${size}`;
  return new RemoteError(
    "rejected",
    `Cannot read ${digest} of the image ${shown(image)}: ${what}`,
    {
      hint: "check the registry's storage, or leave the image out",
    },
  );
}

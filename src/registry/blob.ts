/** Blobs to push. A file is hashed while it is sent, and its end is held back until the digest is known to be right. */
import { Buffer } from "node:buffer";
import { shown } from "../bundle/names.ts";
import { startSha256 } from "../bundle/hash.ts";
import type { BundleFile } from "../bundle/manifest.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { type ErrorCode, StellaError } from "../errors.ts";
import { digestOf } from "./artifact.ts";
import { bodyOf } from "./message.ts";
import type { Blob } from "./repository.ts";

const piece = 1024 * 1024;

export function memoryBlob(bytes: Uint8Array): Blob {
  return { ...bodyOf(bytes), digest: digestOf(bytes) };
}

/** A file of a bundle; sending it fails where it is missing (code missing), or is not what the manifest says (code digest). */
export function fileBlob(source: BundleSource, file: BundleFile): Blob {
  return {
    digest: `sha256:${file.sha256}`,
    size: file.size,
    async *open() {
      const reader = await source.open(file.path);
      if (reader === undefined) throw unfit("missing", file, "it is not there");
      try {
        yield* checked(reader, file);
      } finally {
        reader.close();
      }
    },
  };
}

/** The same blob, which tells `sent` how many of its bytes have gone out. */
export function counted(blob: Blob, sent: (bytes: number) => void): Blob {
  return {
    ...blob,
    async *open() {
      let done = 0;
      for await (const bytes of blob.open()) {
        yield bytes;
        sent(done += bytes.length);
      }
    },
  };
}

async function* checked(reader: ByteReader, file: BundleFile): AsyncIterable<Uint8Array> {
  if (reader.size !== file.size) {
    throw unfit("digest", file, `it has ${reader.size} bytes, not ${file.size}`);
  }
  const hash = startSha256();
  for (let left = file.size; left > 0;) {
    // A new buffer each time: what was yielded may still wait in the socket.
    const bytes = Buffer.allocUnsafe(Math.min(piece, left));
    if (await reader.read(bytes) < bytes.length) {
      throw unfit("media", file, "it became shorter while it was read");
    }
    hash.update(bytes);
    left -= bytes.length;
    if (left === 0) checkDigest(file, hash.digest("hex"));
    yield bytes;
  }
}

/** Before the last piece is sent: without it the registry cannot finish the blob. */
function checkDigest(file: BundleFile, found: string): void {
  if (found !== file.sha256) {
    throw unfit("digest", file, `its sha256 is ${found}, not ${file.sha256}`);
  }
}

function unfit(code: ErrorCode, file: BundleFile, found: string): StellaError {
  return new StellaError(code, `Cannot push ${shown(file.path)}: ${found}`, {
    hint: "verify the bundle, and export or copy it again",
  });
}

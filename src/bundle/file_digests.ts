/** Digests of small files of a directory bundle, in batches, for workers that may only read. */
import { StellaError } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { Opener } from "./source.ts";

/** Result for a path: the digest of a file, or why there is none. */
export type FileDigest =
  | { sha256: string; size: number }
  /** A regular file larger than the caller's limit. */
  | { larger: true }
  | { absent: true }
  /** The error for a link or special file, without its class; it was not opened. */
  | { unsafe: Pick<StellaError, "message" | "hint"> };

/** Size of the largest file that is read here, in bytes. */
export const smallFile = 1024 * 1024;

/** @param max size of a file, in bytes, up to `smallFile` @throws StellaError io */
export function digestFiles(root: string, paths: readonly string[], max: number): FileDigest[] {
  const opener = new Opener(root, false);
  return paths.map((path) => digestFile(opener, path, max));
}

function digestFile(opener: Opener, path: string, max: number): FileDigest {
  const reader = open(opener, path);
  if (reader === undefined || "unsafe" in reader) return reader ?? { absent: true };
  try {
    if (reader.size > max) return { larger: true };
    // One byte beyond the limit reveals a file that grew.
    const view = sharedBuffer().subarray(0, Math.min(max, smallFile) + 1);
    const size = reader.read(view);
    if (size === view.length) return { larger: true };
    return { sha256: sha256(view.subarray(0, size)), size };
  } finally {
    reader.close();
  }
}

function open(opener: Opener, path: string) {
  try {
    return opener.open(path);
  } catch (error) {
    if (!(error instanceof StellaError) || error.kind !== "unsafe") throw error;
    return { unsafe: { message: error.message, hint: error.hint } };
  }
}

let made: Uint8Array | undefined;

/** One buffer for all files of a worker. */
function sharedBuffer(): Uint8Array {
  return made ??= new Uint8Array(smallFile + 1);
}

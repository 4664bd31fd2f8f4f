/** Digests of the many small files of a directory bundle, batch by batch: what a worker does that may read and nothing else. */
import { StellaError } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { Opener } from "./source.ts";

/** What was found at a path: a file that was read, or why none was. */
export type FileDigest =
  | { sha256: string; size: number }
  /** A regular file with more bytes than the caller takes. */
  | { larger: true }
  | { absent: true }
  /** A link or a special file, in words; it was not opened. */
  | { unsafe: string };

/** Bytes of the largest file that is read here. */
export const smallFile = 1024 * 1024;

/**
 * @param root directory of the bundle
 * @param paths of files below it
 * @param most bytes that a file may have; more than `smallFile` count as that
 * @throws StellaError media
 */
export function digestFiles(root: string, paths: readonly string[], max: number): FileDigest[] {
  const opener = new Opener(root, false);
  return paths.map((path) => digestFile(opener, path, max));
}

function digestFile(opener: Opener, path: string, max: number): FileDigest {
  const reader = open(opener, path);
  if (reader === undefined || "unsafe" in reader) return reader ?? { absent: true };
  try {
    if (reader.size > max) return { larger: true };
    // One byte more than allowed tells a file that grew.
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
    if (!(error instanceof StellaError) || error.code !== "unsafe") throw error;
    return { unsafe: error.message };
  }
}

let made: Uint8Array | undefined;

/** One for all files of a worker. */
function sharedBuffer(): Uint8Array {
  return made ??= new Uint8Array(smallFile + 1);
}

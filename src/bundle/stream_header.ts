/**
 * Headers in the stream of a whole bundle. Each entry has exactly one encoding, TarStream's: the
 * header is encoded again from what was read and compared. Only its size field may be wider than in
 * an archive, because TarStream supports 64 GiB without PAX. Source: POSIX.1-2017 pax, "ustar
 * Interchange Format"; @std/tar 0.1.
 */
import { Buffer } from "node:buffer";
import { blockSize, encodeHeader, ustarPath, writeChecksum } from "./tar_header.ts";

export interface StreamEntry {
  path: string;
  /** Bytes of content. */
  size: number;
  /** As the header states it, even if stella would not write it. */
  mode: number;
  /** Seconds since 1970. */
  mtime: number;
}

const sizeAt = 124;
const mtimeAt = 136;
const checksumAt = 148;

/** The entry of a 512-byte header; undefined if it is not what TarStream writes. */
export function readStreamHeader(block: Uint8Array): StreamEntry | undefined {
  const header = Buffer.from(block);
  const size = sizeOf(header.toString("latin1", sizeAt, mtimeAt));
  const mode = octal(header.toString("latin1", 100, 106));
  const mtime = octal(header.toString("latin1", mtimeAt, checksumAt - 1));
  if (size === undefined || mode === undefined || mtime === undefined) return undefined;
  const path = ustarPath(header);
  // Of a PAX header and the entry's own header, the second is plain ustar.
  const expected = Buffer.from(encodeHeader({ path, size: 0, mode, mtime }).subarray(-blockSize));
  header.copy(expected, sizeAt, sizeAt, mtimeAt);
  writeChecksum(expected);
  return header.equals(expected) ? { path, size, mode, mtime } : undefined;
}

/** Eleven digits and a space, or twelve digits from 8 GiB. */
function sizeOf(field: string): number | undefined {
  return /^(?:[0-7]{11} |[1-7][0-7]{11})$/.test(field) ? parseInt(field, 8) : undefined;
}

function octal(field: string): number | undefined {
  return /^[0-7]+$/.test(field) ? parseInt(field, 8) : undefined;
}

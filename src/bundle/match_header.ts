/**
 * Compares a tar header with the expected one. The expected bytes are encoded rather than the found
 * ones parsed; only size and mode come from the header.
 */
import { Buffer } from "node:buffer";
import { blockSize, encodeHeader, paddingOf, type TarEntry } from "./tar_header.ts";

/** Our PAX records hold a path of at most 4095 bytes and a size. */
const maxPaxBytes = 9 * blockSize;
const pax = 0x78;

/** Bytes of a header that begins with the block `first`, including its PAX records. */
export function headerLength(first: Uint8Array): number {
  const size = first[156] === pax ? octalAt(first, 124) : undefined;
  if (size === undefined || size > maxPaxBytes) return blockSize;
  return blockSize + size + paddingOf(size) + blockSize;
}

/** The entry for `path`, if the header is exactly the one that stella writes. */
export function matchHeader(header: Buffer, path: string, mtime: number): TarEntry | undefined {
  const main = header.subarray(-blockSize);
  const size = paxSize(header) ?? octalAt(main, 124);
  const mode = octalAt(main, 100);
  if (size === undefined || (mode !== 0o644 && mode !== 0o755)) return undefined;
  const entry = { path, size, mode, mtime };
  return same(header, encodeHeader(entry)) ? entry : undefined;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Up to twelve octal digits at `at`; undefined if there are none. */
function octalAt(block: Uint8Array, at: number): number | undefined {
  let value = 0;
  for (let i = at; i < at + 12; i++) {
    const digit = (block[i] ?? 0) - 0x30;
    if (!(digit >= 0 && digit < 8)) return i === at ? undefined : value;
    value = value * 8 + digit;
  }
  return value;
}

function paxSize(header: Buffer): number | undefined {
  if (header.length === blockSize) return undefined;
  const found = /\n\d+ size=(\d+)\n|^\d+ size=(\d+)\n/.exec(
    header.toString("latin1", blockSize, header.length - blockSize),
  );
  return found === null ? undefined : Number(found[1] ?? found[2]);
}

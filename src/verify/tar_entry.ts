/**
 * Compares a tar header with the expected one. The expected bytes are encoded rather than the found
 * ones parsed; only size and mode come from the header, and it is decoded only to describe a
 * difference.
 */
import { Buffer } from "node:buffer";
import { type Finding, finding } from "../domain/errors.ts";
import { comparePaths, pathFault } from "../domain/paths.ts";
import {
  blockSize,
  encodeHeader,
  paddingOf,
  type TarEntry,
  ustarPath,
} from "../bundle/tar_header.ts";
import type { TarCursor } from "./tar_cursor.ts";

/** Our PAX records hold a path of at most 4095 bytes and a size. */
const maxPaxBytes = 9 * blockSize;
const pax = 0x78;

/** All blocks of the next header, including PAX records; undefined at the end or at a gap. */
export async function readHeader(cursor: TarCursor): Promise<Buffer | undefined> {
  const first = await cursor.block();
  // A view is enough: it is compared before anything more is read.
  if (first === undefined || first[156] !== pax) return first && view(first);
  const size = octalAt(first, 124);
  const blocks = [Buffer.from(first)];
  if (size === undefined || size > maxPaxBytes) return blocks[0];
  for (let left = size + paddingOf(size) + blockSize; left > 0; left -= blockSize) {
    const block = await cursor.block();
    if (block === undefined) return undefined;
    blocks.push(Buffer.from(block));
  }
  return Buffer.concat(blocks);
}

function view(block: Uint8Array): Buffer {
  return Buffer.from(block.buffer, block.byteOffset, block.length);
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

/** The path, if the header is exactly one that stella writes; to resume after damage. */
export function ownPath(header: Buffer, mtime: number): string | undefined {
  if (header.toString("latin1", 257, 265) !== "ustar\u000000") return undefined;
  const path = pathOf(header);
  return matchHeader(header, path, mtime) === undefined ? undefined : path;
}

/** Describes how a header differs from the one for `expected` (undefined: after the last entry). */
export function explainHeader(header: Buffer, expected: string | undefined): Finding {
  const main = header.subarray(-blockSize);
  if (header.every((byte) => byte === 0)) {
    return finding("entry_missing", { found: "the archive ends before it" });
  }
  if (main.toString("latin1", 257, 262) !== "ustar") {
    return finding("header_differs", { found: "not a tar header" });
  }
  const path = pathOf(header);
  const type = main.toString("latin1", 156, 157);
  if (type !== "0") return finding("entry_type", { path, found: `type ${type}` });
  const fault = pathFault(path);
  if (fault !== undefined) return finding("entry_path", { path, found: fault });
  const order = expected === undefined ? -1 : comparePaths(path, expected);
  if (order < 0) return finding("entry_unexpected", { path, found: "not listed in the index" });
  if (order > 0) {
    return finding("entry_missing", { found: "the archive continues with another file" });
  }
  return finding("header_differs", {
    path,
    found: "size, mode, time, owner or another field of the header is not as stella writes it",
  });
}

function pathOf(header: Buffer): string {
  return paxPath(header) ?? ustarPath(header.subarray(-blockSize));
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

/** The name according to a PAX record: that is where other programs would unpack the entry. */
function paxPath(header: Buffer): string | undefined {
  const end = Math.max(header.length - blockSize, blockSize);
  const records = header.toString("utf8", blockSize, end);
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(records)?.[1];
}

function paxSize(header: Buffer): number | undefined {
  if (header.length === blockSize) return undefined;
  const found = /\n\d+ size=(\d+)\n|^\d+ size=(\d+)\n/.exec(
    header.toString("latin1", blockSize, header.length - blockSize),
  );
  return found === null ? undefined : Number(found[1] ?? found[2]);
}

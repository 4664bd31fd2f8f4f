/** Reads tar headers, and describes how one differs from the expected. */
import { Buffer } from "node:buffer";
import { type Finding, finding } from "../domain/errors.ts";
import { comparePaths, pathFault } from "../domain/paths.ts";
import { headerLength, matchHeader } from "../bundle/match_header.ts";
import { blockSize, ustarPath } from "../bundle/tar_header.ts";
import type { TarCursor } from "./tar_cursor.ts";

/** All blocks of the next header, including PAX records; undefined at the end or at a gap. */
export async function readHeader(cursor: TarCursor): Promise<Buffer | undefined> {
  const first = await cursor.block();
  if (first === undefined) return undefined;
  const length = headerLength(first);
  // A view is enough: it is compared before anything more is read.
  if (length === blockSize) return view(first);
  const blocks = [Buffer.from(first)];
  for (let left = length - blockSize; left > 0; left -= blockSize) {
    const block = await cursor.block();
    if (block === undefined) return undefined;
    blocks.push(Buffer.from(block));
  }
  return Buffer.concat(blocks);
}

function view(block: Uint8Array): Buffer {
  return Buffer.from(block.buffer, block.byteOffset, block.length);
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

/** The name according to a PAX record: that is where other programs would unpack the entry. */
function paxPath(header: Buffer): string | undefined {
  const end = Math.max(header.length - blockSize, blockSize);
  const records = header.toString("utf8", blockSize, end);
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(records)?.[1];
}

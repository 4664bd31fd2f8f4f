/**
 * Tar headers, byte for byte: ustar, with PAX records only if a path or size needs them, identical
 * to what TarStream of @std/tar writes for entries that it supports.
 *
 * An entry has exactly one encoding. The verifier encodes the expected header and compares 512
 * bytes; it does not parse tar, so no byte of an archive can differ unnoticed. Source: POSIX.1-2017
 * pax, "ustar Interchange Format" and "pax Header Block".
 */
import { Buffer } from "node:buffer";
import { sha256 } from "../domain/hash.ts";

export const blockSize = 512;

export interface TarEntry {
  path: string;
  size: number;
  /** 0o644 or 0o755. */
  mode: number;
  /** Whole seconds; the same for all entries of an archive. */
  mtime: number;
}

/** The size field holds eleven octal digits: below 8 GiB. */
const sizeLimit = 8 * 1024 ** 3;
const nameLength = 100;
const sizeAt = 124;
const checksumAt = 148;
const zero = 0x30;
const prefixAt = 345;
const prefixLength = 155;

/** Number of zero bytes after `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - size % blockSize) % blockSize;
}

/** The header of a regular file: 512 bytes, or a PAX header, its records and 512 bytes. */
export function encodeHeader(entry: TarEntry): Uint8Array {
  return encodeShort(entry) ?? encodeAny(entry);
}

/** What entries with short names share, encoded once per mode and time, with its checksum. */
interface Template {
  mode: number;
  mtime: number;
  block: Uint8Array;
  sum: number;
}

let template: Template | undefined;

function templateFor(mode: number, mtime: number): Template {
  if (template?.mode === mode && template.mtime === mtime) return template;
  const nothing = Buffer.alloc(0);
  const block = new Uint8Array(
    ustar({ name: nothing, prefix: nothing, size: 0, type: "0", mode, mtime }),
  );
  block.fill(0x20, checksumAt, checksumAt + 8);
  return template = { mode, mtime, block, sum: block.reduce((sum, byte) => sum + byte, 0) };
}

/** A fast path of `encodeAny` for ASCII paths of up to 100 bytes; undefined for others. */
function encodeShort({ path, size, mode, mtime }: TarEntry): Uint8Array | undefined {
  if (path.length > nameLength || size >= sizeLimit) return undefined;
  const shared = templateFor(mode, mtime);
  const block = shared.block.slice();
  let sum = shared.sum;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code > 127) return undefined;
    block[i] = code;
    sum += code;
  }
  let rest = size;
  for (let i = sizeAt + 10; rest > 0; i--) {
    const digit = rest % 8;
    block[i] = zero + digit;
    sum += digit;
    rest = (rest - digit) / 8;
  }
  for (let i = checksumAt + 5; i >= checksumAt; i--, sum >>= 3) block[i] = zero + (sum & 7);
  block[checksumAt + 6] = 0;
  return block;
}

function encodeAny(entry: TarEntry): Uint8Array {
  const path = Buffer.from(entry.path);
  const split = splitPath(path);
  const paxPath = split === undefined || path.some((byte) => byte > 127);
  const records = [
    ...(paxPath ? [record("path", entry.path)] : []),
    ...(entry.size >= sizeLimit ? [record("size", String(entry.size))] : []),
  ];
  const { name, prefix } = split ?? { name: cutName(path), prefix: Buffer.alloc(0) };
  const size = entry.size >= sizeLimit ? 0 : entry.size;
  const main = ustar({ name, prefix, size, type: "0", mode: entry.mode, mtime: entry.mtime });
  if (records.length === 0) return main;
  return Buffer.concat([paxBlocks(path, records, entry.mtime), main]);
}

/** Splits like TarStream: at the leftmost slash that leaves a name of at most 99 bytes. */
function splitPath(path: Buffer): { name: Buffer; prefix: Buffer } | undefined {
  if (path.length <= nameLength) return { name: path, prefix: Buffer.alloc(0) };
  const slash = path.indexOf(0x2f, path.length - nameLength);
  if (slash < 0 || slash > prefixLength || slash === path.length - 1) return undefined;
  return { name: path.subarray(slash + 1), prefix: path.subarray(0, slash) };
}

/** The first 100 bytes of a path, cut at a character boundary. */
function cutName(path: Buffer): Buffer {
  let end = nameLength;
  while (end > 0 && ((path[end] ?? 0) & 0xc0) === 0x80) end--;
  return path.subarray(0, end);
}

/** `LENGTH key=value\n`, where LENGTH counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function paxBlocks(path: Buffer, records: Buffer[], mtime: number): Buffer {
  const body = Buffer.concat(records);
  const name = Buffer.from(`PaxHeaders/${sha256(path).slice(0, 12)}`);
  const header = ustar({
    name,
    prefix: Buffer.alloc(0),
    size: body.length,
    type: "x",
    mode: 0o644,
    mtime,
  });
  return Buffer.concat([header, body, Buffer.alloc(paddingOf(body.length))]);
}

interface Fields {
  name: Buffer;
  prefix: Buffer;
  size: number;
  type: "0" | "x";
  mode: number;
  mtime: number;
}

function ustar(fields: Fields): Buffer {
  const block = Buffer.alloc(blockSize);
  fields.name.copy(block, 0);
  block.write(`${octal(fields.mode, 6)} \0${octal(0, 6)} \0${octal(0, 6)} \0`, 100, "latin1");
  block.write(`${octal(fields.size, 11)} ${octal(fields.mtime, 11)} `, 124, "latin1");
  block.write(`${fields.type}`, 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  // uname and gname stay empty; devmajor and devminor are eight NUL bytes each.
  fields.prefix.copy(block, prefixAt);
  writeChecksum(block);
  return block;
}

/** The path in the fields of one block, not in PAX records. */
export function ustarPath(block: Buffer): string {
  const name = textAt(block, 0, nameLength);
  const prefix = textAt(block, prefixAt, prefixLength);
  return prefix === "" ? name : `${prefix}/${name}`;
}

function textAt(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

export function writeChecksum(block: Buffer): void {
  block.fill(0x20, checksumAt, checksumAt + 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${octal(sum, 6)}\0 `, checksumAt, "latin1");
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

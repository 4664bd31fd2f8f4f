/** Pieces of tar that stella would never write, with right checksums. */
import { Buffer } from "node:buffer";
import { blockSize } from "../../src/bundle/tar_header.ts";
import { type Entry, entryOf, tarOf } from "../support/bundle_fixture.ts";

export const a: Entry = { path: "a.txt", content: "first\n" };
export const b: Entry = { path: "b.txt", content: "second\n" };
export const c: Entry = { path: "c.txt", content: "third\n" };
export const wide: Entry = { path: "\u00e9.txt", content: "wide\n" };
export const ac = [a, c];
export const end = Buffer.alloc(2 * blockSize);

/** A header with fields changed and its checksum right. */
export function header(entry: Entry, change: (block: Buffer) => void = () => {}): Buffer {
  const block = Buffer.from(entryOf(entry).subarray(0, blockSize));
  change(block);
  return summed(block);
}

export function summed(block: Buffer): Buffer {
  block.write("        ", 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** A field of text, the rest of it NUL. */
export function text(at: number, length: number, value: string): (block: Buffer) => void {
  return (block) => block.fill(0, at, at + length).write(value, at, "utf8");
}

export function body({ content }: Entry): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([bytes, Buffer.alloc((512 - bytes.length % 512) % 512)]);
}

/** `a` with another header, before `c`. */
export function withHeader(change: (block: Buffer) => void): Uint8Array {
  return Buffer.concat([header(a, change), body(a), tarOf([c])]);
}

export function paxBefore(records: string, type = "x"): Uint8Array {
  const head = header({ path: "PaxHeaders/x", content: records }, text(156, 1, type));
  return Buffer.concat([head, body({ path: "", content: records }), tarOf([a, c])]);
}

export function record(rest: string): string {
  for (let length = rest.length + 2;; length++) {
    const line = `${length} ${rest}\n`;
    if (Buffer.byteLength(line) === length) return line;
  }
}

export function typed(type: string): (block: Buffer) => void {
  return (block) => {
    text(156, 1, type)(block);
    block.write("00000000000", 124, "latin1");
  };
}

export function entryType(type: string, link = ""): Uint8Array {
  const change = (block: Buffer) => {
    typed(type)(block);
    text(157, 100, link)(block);
  };
  return Buffer.concat([header({ path: "b.txt", content: "" }, change), end]);
}

/** Between `a` and `c`, in place of the end blocks of `part`. */
export function between(part: Uint8Array): Uint8Array {
  return Buffer.concat([entryOf(a), part.subarray(0, part.length - end.length), tarOf([c])]);
}

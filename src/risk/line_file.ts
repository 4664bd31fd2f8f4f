/**
 * Writes a file of lines from one buffer and hashes it: lines waiting as strings would need many
 * times their size.
 */
import { closeSync, openSync } from "node:fs";
import { writeAll } from "../domain/durable.ts";
import { startSha256 } from "../domain/hash.ts";
import { ioError } from "../domain/errors.ts";

const bufferSize = 256 * 1024;
const maxPartLength = 64 * 1024;

export class LineFile {
  readonly #hash = startSha256();
  readonly #encoder = new TextEncoder();
  readonly #fd: number;
  readonly #buffer = new Uint8Array(bufferSize);
  #used = 0;
  #bytes = 0;

  /** @throws StellaError usage, media */
  constructor(readonly path: string, mode: number) {
    try {
      this.#fd = openSync(path, "wx", mode);
    } catch (error) {
      throw ioError("Cannot make", path, error);
    }
  }

  /** A line contains no line feed. True if something was written. @throws StellaError media */
  add(line: string): boolean {
    const before = this.#bytes;
    // A long line is encoded in parts: a buffer of three times its length would stay allocated.
    let at = 0;
    for (; line.length - at > maxPartLength; at += partAt(line, at)) {
      this.#put(line.slice(at, at + partAt(line, at)), false);
    }
    this.#put(at === 0 ? line : line.slice(at), true);
    return this.#bytes > before;
  }

  #put(text: string, isEnd: boolean): void {
    if (this.#used + maxEncodedLength(text) > this.#buffer.length) this.#write();
    const { written } = this.#encoder.encodeInto(text, this.#buffer.subarray(this.#used));
    this.#used += written;
    if (isEnd) this.#buffer[this.#used++] = 0x0a;
  }

  /** Size and SHA-256 of the whole file. @throws StellaError media */
  end(): { bytes: number; sha256: string } {
    this.#write();
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(): void {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#hash.update(bytes);
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      throw ioError("Cannot write", this.path, error);
    }
    this.#bytes += this.#used;
    this.#used = 0;
  }
}

/** Length of the next part of a long line: surrogate pairs stay together. */
function partAt(line: string, at: number): number {
  const last = line.charCodeAt(at + maxPartLength - 1);
  return last >= 0xd800 && last < 0xdc00 ? maxPartLength - 1 : maxPartLength;
}

/** UTF-8 has at most three bytes per UTF-16 unit; plus the line feed. */
export function maxEncodedLength(line: string): number {
  return line.length * 3 + 1;
}

/** Encodes the line and its line feed at `at`. @returns the number of bytes */
export function putLine(
  encoder: TextEncoder,
  line: string,
  buffer: Uint8Array,
  at: number,
): number {
  const { written } = encoder.encodeInto(line, buffer.subarray(at));
  buffer[at + written] = 0x0a;
  return written + 1;
}

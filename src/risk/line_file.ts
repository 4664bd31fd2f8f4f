/** A new file of lines, hashed while it is written from one buffer: lines that wait as strings would cost many times their bytes. */
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

  /** A line holds no line feed. True where something was written. @throws StellaError media */
  add(line: string): boolean {
    const before = this.#bytes;
    // A long line goes in parts: a buffer for three times its length would stay until the end.
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

  /** Length and sha256 of the whole file. @throws StellaError media */
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

/** How much of a long line goes next: a pair of surrogates stays together. */
function partAt(line: string, at: number): number {
  const last = line.charCodeAt(at + maxPartLength - 1);
  return last >= 0xd800 && last < 0xdc00 ? maxPartLength - 1 : maxPartLength;
}

/** UTF-8 has at most three bytes for each UTF-16 unit; then the line feed. */
export function maxEncodedLength(line: string): number {
  return line.length * 3 + 1;
}

/** Puts the line and its feed at `at`. @returns how many bytes that took */
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

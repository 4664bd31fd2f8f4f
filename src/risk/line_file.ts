/**
 * Writes a file of lines from one buffer and hashes it: lines waiting as strings would need many
 * times their size.
 */
import { closeSync, openSync } from "node:fs";
import { writeAll } from "../domain/durable.ts";
import { startSha256 } from "../domain/hash.ts";
import { tryIo } from "../domain/io_errors.ts";

const bufferSize = 256 * 1024;

export class LineFile {
  readonly #hash = startSha256();
  readonly #encoder = new TextEncoder();
  readonly #fd: number;
  readonly #buffer = new Uint8Array(bufferSize);
  #used = 0;
  #bytes = 0;

  /** @throws StellaError usage, io */
  constructor(readonly path: string, mode: number) {
    this.#fd = tryIo("Cannot make", path, () => openSync(path, "wx", mode));
  }

  /** A line contains no line feed. True if something was written. @throws StellaError io */
  add(line: string): boolean {
    const before = this.#bytes;
    // A long line goes in parts: a buffer of its length would stay allocated.
    let rest = line;
    for (let isWhole = false; !isWhole;) {
      const { read, written } = this.#encoder.encodeInto(rest, this.#buffer.subarray(this.#used));
      this.#used += written;
      isWhole = read === rest.length && this.#used < this.#buffer.length;
      rest = rest.slice(read);
      if (!isWhole) this.#write();
    }
    this.#buffer[this.#used++] = 0x0a;
    return this.#bytes > before;
  }

  /** Size and SHA-256 of the whole file. @throws StellaError io */
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
    tryIo("Cannot write", this.path, () => writeAll(this.#fd, bytes));
    this.#bytes += this.#used;
    this.#used = 0;
  }
}

/** Writes a whole file of lines. @throws StellaError usage, io */
export function writeLines(path: string, mode: number, lines: Iterable<string>): void {
  const file = new LineFile(path, mode);
  try {
    for (const line of lines) file.add(line);
    file.end();
  } finally {
    file.close();
  }
}

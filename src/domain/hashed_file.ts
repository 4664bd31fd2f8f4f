/** Writes a new file of text from one buffer, and hashes it. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { writeAll } from "./durable.ts";
import { startSha256 } from "./hash.ts";
import { tryIo } from "./io_errors.ts";

/** Text waiting as strings would need many times its size. */
const bufferSize = 256 * 1024;

export function newBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bufferSize);
}

export class HashedFile {
  readonly #hash = startSha256();
  readonly #encoder = new TextEncoder();
  readonly #fd: number;
  #used = 0;
  #size = 0;

  /**
   * @param buffer for files that are written one after the other
   * @throws StellaError usage, io
   */
  constructor(readonly path: string, mode: number, readonly buffer = newBuffer()) {
    this.#fd = tryIo("Cannot make", path, () => openSync(path, "wx", mode));
  }

  /** True if something was written. @throws StellaError io */
  add(text: string): boolean {
    const before = this.#size;
    // A long text goes in parts: a buffer of its length would stay allocated.
    for (let rest = text;;) {
      const { read, written } = this.#encoder.encodeInto(rest, this.buffer.subarray(this.#used));
      this.#used += written;
      if (read === rest.length) return this.#size > before;
      rest = rest.slice(read);
      this.#write();
    }
  }

  /** `add`, with a line feed: joined to a long line it would be a copy of it. */
  addLine(line: string): boolean {
    const isWritten = this.add(line);
    return this.add("\n") || isWritten;
  }

  /** Size in bytes and SHA-256 of the whole file. @throws StellaError io */
  end(): { size: number; sha256: string } {
    this.#write();
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }

  sync(): void {
    tryIo("Cannot sync", this.path, () => fsyncSync(this.#fd));
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(): void {
    const bytes = this.buffer.subarray(0, this.#used);
    this.#hash.update(bytes);
    tryIo("Cannot write", this.path, () => writeAll(this.#fd, bytes));
    this.#size += this.#used;
    this.#used = 0;
  }
}

/** Writes a whole file of lines. @throws StellaError usage, io */
export function writeLines(path: string, mode: number, lines: Iterable<string>): void {
  const file = new HashedFile(path, mode);
  try {
    for (const line of lines) file.addLine(line);
    file.end();
  } finally {
    file.close();
  }
}

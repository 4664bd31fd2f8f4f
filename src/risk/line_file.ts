/** A new file of lines, hashed while it is written from one buffer: lines that wait as strings would cost many times their bytes. */
import { closeSync, openSync } from "node:fs";
import { writeAll } from "../bundle/durable.ts";
import { startSha256 } from "../bundle/hash.ts";
import { ioError } from "../errors.ts";

const room = 256 * 1024;

export class LineFile {
  readonly #hash = startSha256();
  readonly #encoder = new TextEncoder();
  readonly #fd: number;
  #buffer = new Uint8Array(room);
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
    const [before, most] = [this.#bytes, mostBytes(line)];
    if (this.#used + most > this.#buffer.length) this.#write();
    if (most > this.#buffer.length) this.#buffer = new Uint8Array(most);
    this.#used += putLine(this.#encoder, line, this.#buffer, this.#used);
    return this.#bytes > before;
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

/** UTF-8 has at most three bytes for each UTF-16 unit; then the line feed. */
export function mostBytes(line: string): number {
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

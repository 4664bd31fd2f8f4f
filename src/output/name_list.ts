/** A list of names in a file, one per line, appended and read in blocks: there may be a million. */
import { closeSync, openSync, readSync } from "node:fs";
import { writeAll } from "../domain/durable.ts";
import { tryIo } from "../domain/io_errors.ts";

const blockSize = 64 * 1024;

export class NameList {
  readonly #fd: number;

  /** Creates the file, which must not exist. @throws StellaError io */
  constructor(readonly path: string) {
    this.#fd = tryIo("Cannot make", path, () => openSync(path, "wx+", 0o644));
  }

  /** @param name without a line end @throws StellaError io */
  add(name: string): void {
    const line = new TextEncoder().encode(`${name}\n`);
    tryIo("Cannot write", this.path, () => writeAll(this.#fd, line));
  }

  /** In the order in which they were added. @throws StellaError io */
  *names(): Generator<string> {
    const block = new Uint8Array(blockSize);
    const text = new TextDecoder();
    let rest = "";
    for (let at = 0;;) {
      const length = tryIo("Cannot read", this.path, () => {
        return readSync(this.#fd, block, 0, block.length, at);
      });
      if (length === 0) return;
      at += length;
      const lines = (rest + text.decode(block.subarray(0, length), { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

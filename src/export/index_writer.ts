/** The index on its way out: written in blocks, its own digest taken. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { ioError } from "../domain/errors.ts";
import { writeAll } from "../domain/durable.ts";
import { startSha256 } from "../domain/hash.ts";
import { type BundleFile, indexName } from "../bundle/manifest.ts";

export class IndexWriter {
  readonly #fd: number;
  readonly #hash = startSha256();
  #lines: string[] = [];
  #pending = 0;
  #size = 0;
  #open = true;

  constructor(readonly path: string) {
    try {
      this.#fd = openSync(path, "wx", 0o644);
    } catch (error) {
      throw ioError("Cannot make", path, error);
    }
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#pending += line.length;
    if (this.#pending > 256 * 1024) this.#flush();
  }

  finish(): BundleFile {
    this.#flush();
    try {
      fsyncSync(this.#fd);
    } catch (error) {
      throw ioError("Cannot sync", this.path, error);
    }
    this.close();
    return { path: indexName, role: "index", size: this.#size, sha256: this.#hash.digest("hex") };
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#lines.join(""));
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      throw ioError("Cannot write", this.path, error);
    }
    this.#hash.update(bytes);
    this.#size += bytes.length;
    this.#lines = [];
    this.#pending = 0;
  }
}

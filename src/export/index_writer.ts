/**
 * Writes the index in blocks and hashes it. Lines are in file order, although the digest of a file
 * may arrive after those of later files.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { tryIo } from "../domain/io_errors.ts";
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
    this.#fd = tryIo("Cannot make", path, () => openSync(path, "wx", 0o644));
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#pending += line.length;
    if (this.#pending > 256 * 1024) this.#flush();
  }

  finish(): BundleFile {
    this.#flush();
    tryIo("Cannot sync", this.path, () => fsyncSync(this.#fd));
    this.close();
    return { path: indexName, role: "index", size: this.#size, sha256: this.#hash.digest("hex") };
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#lines.join(""));
    tryIo("Cannot write", this.path, () => writeAll(this.#fd, bytes));
    this.#hash.update(bytes);
    this.#size += bytes.length;
    this.#lines = [];
    this.#pending = 0;
  }
}

export interface PendingLine {
  path: string;
  /** Number of the input, from 0. */
  source: number;
}

interface Slot {
  line: PendingLine;
  sha256: string | undefined;
}

export class PendingLines {
  readonly #slots: Slot[] = [];

  /** @param emit called with the lines in the order in which they were added */
  constructor(readonly emit: (line: PendingLine, sha256: string) => void) {}

  /** @returns callback for the digest, unless `digested` will deliver it */
  add(line: PendingLine): (sha256: string) => void {
    const slot: Slot = { line, sha256: undefined };
    this.#slots.push(slot);
    return (sha256) => {
      slot.sha256 = sha256;
      this.#flush();
    };
  }

  /** Delivers the digests of the first files that are waiting for one, in order. */
  digested(digests: readonly string[]): void {
    let given = 0;
    for (const slot of this.#slots) {
      if (given === digests.length) break;
      if (slot.sha256 === undefined) slot.sha256 = digests[given++]!;
    }
    this.#flush();
  }

  #flush(): void {
    let done = 0;
    for (const { line, sha256 } of this.#slots) {
      if (sha256 === undefined) break;
      this.emit(line, sha256);
      done++;
    }
    if (done > 0) this.#slots.splice(0, done);
  }
}

/** The index as a queue of entries, read block by block while its digest is computed. */
import type { Hash } from "node:crypto";
import { startSha256 } from "../domain/hash.ts";
import { type IndexEntry, IndexFault, IndexParser } from "../bundle/index_file.ts";
import { comparePaths } from "../domain/paths.ts";
import type { ByteReader } from "../bundle/source.ts";

const blockLength = 256 * 1024;

export class IndexReader {
  readonly #parser = new IndexParser();
  readonly #hash: Hash = startSha256();
  readonly #block: Uint8Array;
  readonly #queue: IndexEntry[] = [];
  #head = 0;
  #ended = false;
  /** The error that ends the entries; those before it are valid. */
  #fault: IndexFault | undefined;
  #bytes = 0;

  /**
   * @param size bytes by the manifest: a longer index is read only as far as needed to notice
   * @param onPath called for each path as it is read
   */
  constructor(
    readonly reader: ByteReader,
    readonly size: number,
    readonly onPath: (path: string) => void = () => {},
  ) {
    this.#block = new Uint8Array(Math.min(size + 1, blockLength));
  }

  /** The next entry, not taken; undefined after the last. @throws IndexFault at its position */
  async peek(): Promise<IndexEntry | undefined> {
    await this.#fill(1);
    const next = this.#queue[this.#head];
    if (next === undefined && this.#fault !== undefined) throw this.#fault;
    return next;
  }

  async #fill(count: number): Promise<void> {
    while (this.#queue.length - this.#head < count && await this.#more());
  }

  /** Whether one of the next `depth` entries has this path; cheap for hostile headers too. */
  async has(path: string, depth: number): Promise<boolean> {
    await this.#fill(depth);
    let [low, high] = [this.#head, Math.min(this.#queue.length, this.#head + depth)];
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = comparePaths(this.#queue[middle]!.path, path);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  /** Takes the next entry if it is already in memory: no promise on the hot path. */
  take(): IndexEntry | undefined {
    const entry = this.#queue[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#queue.length || this.#head > 8192) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** SHA-256 and length of all bytes; errors in the rest no longer matter. */
  async finish(): Promise<{ sha256: string; size: number }> {
    while (await this.#read() !== undefined);
    return { sha256: this.#hash.digest("hex"), size: this.#bytes };
  }

  async #more(): Promise<boolean> {
    if (this.#ended || this.#fault !== undefined) return false;
    const block = await this.#read();
    try {
      if (block !== undefined) this.#parse(block);
      else this.#parser.end();
    } catch (fault) {
      if (!(fault instanceof IndexFault)) throw fault;
      this.#fault = fault;
    }
    return block !== undefined;
  }

  /** @throws IndexFault */
  #parse(block: Uint8Array): void {
    this.#parser.push(block);
    for (let e = this.#parser.next(); e !== undefined; e = this.#parser.next()) {
      this.onPath(e.path);
      this.#queue.push(e);
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const n = await this.reader.read(this.#block);
    this.#bytes += n;
    this.#ended = n === 0 || this.#bytes > this.size;
    if (n === 0) return undefined;
    const block = this.#block.subarray(0, n);
    this.#hash.update(block);
    return block;
  }
}

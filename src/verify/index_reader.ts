/** The index as a queue of entries, read block by block while its own digest is taken. */
import type { Hash } from "node:crypto";
import { startSha256 } from "../bundle/hash.ts";
import { type IndexEntry, IndexParser } from "../bundle/index_file.ts";
import type { ByteReader } from "../bundle/source.ts";

const blockLength = 256 * 1024;

export class IndexReader {
  readonly #parser = new IndexParser();
  readonly #hash: Hash = startSha256();
  readonly #block = new Uint8Array(blockLength);
  readonly #queue: IndexEntry[] = [];
  #head = 0;
  #ended = false;
  #bytes = 0;

  constructor(readonly reader: ByteReader) {}

  /** The entry `ahead` places after the next one, without taking it; undefined after the last. */
  async peek(ahead = 0): Promise<IndexEntry | undefined> {
    while (this.#queue.length - this.#head <= ahead && await this.#more());
    return this.#queue[this.#head + ahead];
  }

  /** Takes the next entry where it is already read: no promise on the hot path. */
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

  /** Reads what is left; sha256 and length of all bytes. Entries and faults in the rest no longer matter. */
  async finish(): Promise<{ sha256: string; size: number }> {
    while (await this.#read() !== undefined);
    return { sha256: this.#hash.digest("hex"), size: this.#bytes };
  }

  /** @throws IndexFault */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const block = await this.#read();
    if (block === undefined) {
      this.#parser.end();
      return false;
    }
    this.#parser.push(block);
    for (let e = this.#parser.next(); e !== undefined; e = this.#parser.next()) this.#queue.push(e);
    return true;
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const n = await this.reader.read(this.#block);
    if (n < this.#block.length) this.#ended = n === 0;
    if (n === 0) return undefined;
    const block = this.#block.subarray(0, n);
    this.#hash.update(block);
    this.#bytes += n;
    return block;
  }
}

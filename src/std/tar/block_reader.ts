/** Bytes of a stream in blocks of 512, or in the pieces in which they come. */

export const blockSize = 512;

export class BlockReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The next block; undefined at the end. Throws a RangeError where the stream ends inside a block. */
  async block(): Promise<Uint8Array | undefined> {
    if (!await this.#fill()) return undefined;
    const block = new Uint8Array(blockSize);
    for (let length = 0; length < blockSize;) {
      if (!await this.#fill()) {
        throw new RangeError(`Cannot read the archive: its last block has ${length} of 512 bytes`);
      }
      const piece = this.#cut(blockSize - length);
      block.set(piece, length);
      length += piece.length;
    }
    return block;
  }

  /** The next 1 to `limit` bytes. Throws a SyntaxError at the end of the stream. */
  async take(limit: number): Promise<Uint8Array> {
    if (await this.#fill()) return this.#cut(limit);
    throw new SyntaxError(`Cannot read the archive: it ends ${limit} bytes before a file does`);
  }

  /** Passes over `count` bytes. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) left -= (await this.take(left)).length;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  /** Makes sure that a byte is at hand; false at the end of the stream. */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#chunk = value as Uint8Array<ArrayBuffer>;
    }
    return true;
  }

  #cut(limit: number): Uint8Array {
    const piece = this.#chunk.subarray(0, limit);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }
}

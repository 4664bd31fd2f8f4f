/** Lines of a text that comes in pieces. */

export class Lines {
  readonly #decoder = new TextDecoder();
  #parts: string[] = [];
  #length = 0;

  /**
   * Gets each line without its feed.
   * @throws what `take` throws, and `tooLong` for a line of more than `max` characters
   */
  constructor(
    readonly take: (line: string) => void,
    readonly max: number,
    readonly tooLong: () => Error,
  ) {}

  push(piece: Uint8Array): void {
    const text = this.#decoder.decode(piece, { stream: true });
    let at = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      this.#flush(text.slice(at, end));
      at = end + 1;
    }
    // In parts: a long line that grew by every piece would be copied as often.
    const rest = text.slice(at);
    this.#length += rest.length;
    if (this.#length > this.max) throw this.tooLong();
    if (rest !== "") this.#parts.push(rest);
  }

  /** The text is over: what has no feed is a line too. */
  end(): void {
    this.#flush(this.#decoder.decode());
  }

  #flush(last: string): void {
    const line = this.#parts.length === 0 ? last : this.#parts.join("") + last;
    this.#parts = [];
    this.#length = 0;
    if (line !== "") this.take(line);
  }
}

/** Splits text that arrives in pieces into lines. */

export class Lines {
  readonly #decoder = new TextDecoder();
  #parts: string[] = [];
  #length = 0;

  /**
   * @param take called with each line without its line feed
   * @throws errors of `take`, and `tooLong` for a line of more than `max` characters
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
    // Kept in parts: appending each piece to a long line would copy it every time.
    const rest = text.slice(at);
    this.#length += rest.length;
    if (this.#length > this.max) throw this.tooLong();
    if (rest !== "") this.#parts.push(rest);
  }

  /** The end of the text: a last line may lack its line feed. */
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

/** Splits text that arrives in pieces into lines. */

export class Lines {
  readonly #decoder = new TextDecoder();
  #parts: string[] = [];
  #length = 0;

  /** `onTooLong` is called for a line of more than `max` characters, which is then dropped. */
  constructor(readonly max = Infinity, readonly onTooLong: () => void = () => {}) {}

  /** The lines that end in this piece, one by one: a list would survive garbage collection. */
  *push(piece: Uint8Array): Generator<string> {
    const text = this.#decoder.decode(piece, { stream: true });
    let at = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      yield this.#taken(text.slice(at, end));
      at = end + 1;
    }
    // Kept in parts: appending each piece to a long line would copy it every time.
    const rest = text.slice(at);
    this.#length += rest.length;
    if (rest !== "") this.#parts.push(rest);
    if (this.#length <= this.max) return;
    this.#taken("");
    this.onTooLong();
  }

  /** The end of the text: a last line may lack its line feed. */
  *end(): Generator<string> {
    const last = this.#taken(this.#decoder.decode());
    if (last !== "") yield last;
  }

  #taken(last: string): string {
    const line = this.#parts.length === 0 ? last : this.#parts.join("") + last;
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}

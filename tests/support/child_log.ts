/** What a process writes to its standard error, as it comes: tests wait for its lines. */

/** Milliseconds until a line that does not come is an error. */
const patience = 120_000;

export class ChildLog {
  text = "";
  /** When the process has closed its end. */
  readonly ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      for (const look of this.#waiting) look();
    }
    this.#hasEnded = true;
    for (const look of this.#waiting) look();
  }

  /**
   * Waits for what `pattern` finds in the log.
   * @throws Error where the process ends before, or nothing comes for two minutes
   */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const fail = (why: string) =>
      reject(new Error(`${why}: no ${pattern} in the log:\n${this.text}`));
    const look = () => {
      const found = pattern.exec(this.text);
      if (found !== null) resolve(found);
      else if (this.#hasEnded) fail("The process has ended");
    };
    const late = setTimeout(() => fail("Two minutes have passed"), patience);
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(look);
    }
  }
}

/**
 * Writes lines to a descriptor that may be slow, blocked or closed, in the background: a pipe that
 * nobody reads does not block the service, as `process.stderr.write` would. Lines beyond the buffer
 * are dropped and counted; the next line that gets through reports the loss.
 */

/** Writes some of the bytes and returns their number, like Deno.stderr.write. */
export type Write = (bytes: Uint8Array) => Promise<number>;

export class LineWriter {
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;
  /** Lines that are no longer waiting. */
  #taken = 0;
  #flushing: Promise<void> | undefined;

  /** `lossLine` creates the line about dropped lines; `limit` is the buffer size in bytes. */
  constructor(
    private readonly write: Write,
    private readonly lossLine: (lost: number) => string,
    private readonly limit = 1024 * 1024,
  ) {}

  /** Dropped lines that were not reported yet. */
  get lost(): number {
    return this.#lost;
  }

  /** Never throws and never waits. */
  line(text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (this.#bytes + bytes.length > this.limit) {
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#flushing ??= this.#flush();
  }

  /** Resolves when everything is written, or when nothing was for `bound` milliseconds. */
  async drained(bound: number): Promise<void> {
    for (let before = -1; this.#flushing !== undefined && this.#taken > before;) {
      before = this.#taken;
      let limit: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => limit = setTimeout(resolve, bound));
      await Promise.race([this.#flushing, late]);
      clearTimeout(limit);
    }
  }

  async #flush(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const written = await this.#writeAll(next);
      this.#waiting.shift();
      this.#bytes -= next.length;
      this.#taken++;
      if (written) this.#tellLoss();
      else this.#lost++;
    }
    this.#flushing = undefined;
  }

  #tellLoss(): void {
    if (this.#lost === 0) return;
    const text = this.lossLine(this.#lost);
    this.#lost = 0;
    this.line(text);
  }

  async #writeAll(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.write(bytes.subarray(at));
      return true;
    } catch {
      // The pipe is closed: nothing can be reported.
      return false;
    }
  }
}

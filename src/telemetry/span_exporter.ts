/**
 * Sends finished spans to the collector in batches and retries if that may help (OTLP
 * specification, "OTLP/HTTP Response"). Tracing never delays or fails an export: spans that do not
 * fit the buffer are dropped and counted.
 */
import { messageOf } from "../domain/errors.ts";
import { type Attributes, encodeSpans, type Span } from "./span.ts";

/** Sends one body of OTLP JSON. Returns the status; rejects without a response. */
export type Post = (body: Uint8Array, signal: AbortSignal) => Promise<number>;

export interface SpanExporterOptions {
  post: Post;
  resource: Attributes;
  version: string;
  onSpans(result: "sent" | "lost", count: number): void;
  /** Why sending started to fail; undefined when it works again. */
  onChange(problem: string | undefined): void;
  /** Milliseconds from a span's end to sending, and between tries. */
  pause?: number;
  /** Timeout of one request in milliseconds. */
  patience?: number;
  /** Number of spans that may wait. */
  limit?: number;
  batch?: number;
}

const retryable = new Set([429, 502, 503, 504]);

export class SpanExporter {
  readonly #options: Required<SpanExporterOptions>;
  #waiting: Span[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failing = false;
  #closed = false;

  constructor(options: SpanExporterOptions) {
    this.#options = { pause: 2_000, patience: 5_000, limit: 4_096, batch: 512, ...options };
  }

  /** Never throws and never waits. */
  add(span: Span): void {
    const { limit, onSpans } = this.#options;
    if (this.#closed || this.#waiting.length >= limit) return onSpans("lost", 1);
    this.#waiting.push(span);
    this.#schedule();
  }

  /** Sends the remaining spans for at most `bound` milliseconds; the others are dropped. */
  async close(bound: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const late = Promise.withResolvers<void>();
    const limit = setTimeout(late.resolve, bound);
    const sent = (this.#sending ?? Promise.resolve()).then(() => this.#flush());
    await Promise.race([sent, late.promise]);
    clearTimeout(limit);
    if (this.#waiting.length > 0) this.#options.onSpans("lost", this.#waiting.length);
    this.#waiting = [];
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#sending = this.#flush().finally(() => {
        this.#timer = undefined;
        this.#sending = undefined;
        if (this.#waiting.length > 0) this.#schedule();
      });
    }, this.#options.pause);
  }

  /** Sends batches until one has to wait. */
  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.slice(0, this.#options.batch);
      const problem = await this.#send(spans);
      if (problem?.again) return this.#tell(problem.text);
      this.#waiting.splice(0, spans.length);
      this.#options.onSpans(problem === undefined ? "sent" : "lost", spans.length);
      this.#tell(problem?.text);
    }
  }

  async #send(spans: readonly Span[]): Promise<{ text: string; again: boolean } | undefined> {
    const { post, resource, version, patience } = this.#options;
    const body = new TextEncoder().encode(encodeSpans(resource, version, spans));
    const limit = AbortSignal.timeout(patience);
    try {
      const status = await post(body, limit);
      if (status >= 200 && status < 300) return undefined;
      return { text: `the collector responded ${status}`, again: retryable.has(status) };
    } catch (error) {
      const late = `the collector did not respond within ${patience / 1000} s`;
      return { text: limit.aborted ? late : messageOf(error), again: true };
    }
  }

  /** Only the first failure after a success is reported, and the first success after a failure. */
  #tell(problem: string | undefined): void {
    const isFailing = problem !== undefined;
    if (isFailing !== this.#failing) this.#options.onChange(problem);
    this.#failing = isFailing;
  }
}

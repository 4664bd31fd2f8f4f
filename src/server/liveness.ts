/**
 * Whether the process works at all. It looks at nothing outside: a dead registry or a full disk must not restart
 * the service, which would only lose the running export.
 */

export interface LivenessOptions {
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  /** When the worker of the running job was last heard, on that clock; undefined where none runs. */
  workerHeardAt(): number | undefined;
}

/** Milliseconds without a turn of the event loop, and without a word from the worker. */
const loopLimit = 30_000;
const workerLimit = 60_000;
const tick = 1_000;

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #turnedAt: number;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#turnedAt = options.elapsed();
    this.#timer = setInterval(() => this.#turnedAt = options.elapsed(), tick);
  }

  /** `output` says what is wrong. */
  report(): { status: "pass" | "fail"; output?: string } {
    const now = this.#options.elapsed();
    const heardAt = this.#options.workerHeardAt() ?? now;
    if (now - this.#turnedAt > loopLimit) return { status: "fail", output: "event loop stalled" };
    if (now - heardAt > workerLimit) return { status: "fail", output: "worker silent" };
    return { status: "pass" };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

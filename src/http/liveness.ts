/**
 * Whether the process works at all. It looks at nothing outside: a dead registry or a full disk must not restart
 * the service, which would only lose the running export.
 */

export interface LivenessOptions {
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  /** When the worker of the running job was last heard, on that clock; undefined where none runs. */
  lastHeartbeatAt(): number | undefined;
  /** How late a turn of the event loop was, in seconds. */
  onLag?(seconds: number): void;
}

/** Milliseconds without a turn of the event loop. */
const loopLimit = 30_000;
/**
 * Milliseconds without a word from a worker. Above what the jobs allow (worker_host.ts): a worker that a slow disk holds up is
 * ended with its export, and only where that fails is the service to be restarted, with all the others.
 */
const workerLimit = 360_000;
const tick = 1_000;

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #turnedAt: number;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#turnedAt = options.elapsed();
    this.#timer = setInterval(() => this.#turn(), tick);
  }

  /** `output` says what is wrong. */
  report(): { status: "pass" | "fail"; output?: string } {
    const now = this.#options.elapsed();
    const heardAt = this.#options.lastHeartbeatAt() ?? now;
    if (now - this.#turnedAt > loopLimit) return { status: "fail", output: "event loop stalled" };
    if (now - heardAt > workerLimit) return { status: "fail", output: "worker silent" };
    return { status: "pass" };
  }

  #turn(): void {
    const now = this.#options.elapsed();
    this.#options.onLag?.(Math.max(0, now - this.#turnedAt - tick) / 1000);
    this.#turnedAt = now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

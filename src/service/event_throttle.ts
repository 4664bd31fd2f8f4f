/**
 * Limits the progress events of a worker: 20,000 files need not be 20,000 messages. The last event
 * of a stage is always sent, so it has the final count.
 */

/** Milliseconds between two messages about the same stage. */
const pause = 100;

export class EventThrottle<Event extends { kind: string; stage?: string }> {
  #stage: string | undefined;
  #at = 0;
  #held: Event | undefined;

  readonly #send: (event: Event) => void;
  readonly #elapsed: () => number;

  /** @param elapsed monotonic milliseconds */
  constructor(send: (event: Event) => void, elapsed: () => number) {
    this.#send = send;
    this.#elapsed = elapsed;
  }

  emit(event: Event): void {
    if (event.kind !== "progress") {
      this.flush();
      return this.#send(event);
    }
    if (event.stage === this.#stage && this.#elapsed() - this.#at < pause) {
      this.#held = event;
      return;
    }
    if (event.stage !== this.#stage) this.flush();
    this.#held = undefined;
    this.#stage = event.stage;
    this.#at = this.#elapsed();
    this.#send(event);
  }

  flush(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#send(held);
  }
}

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

  /** `elapsed` gives monotonic milliseconds. */
  constructor(
    private readonly send: (event: Event) => void,
    private readonly elapsed: () => number,
  ) {}

  emit(event: Event): void {
    const isProgress = event.kind === "progress";
    const isSame = isProgress && event.stage === this.#stage;
    if (isSame && this.elapsed() - this.#at < pause) {
      this.#held = event;
      return;
    }
    if (isSame) this.#held = undefined;
    else this.flush();
    if (isProgress) [this.#stage, this.#at] = [event.stage, this.elapsed()];
    this.send(event);
  }

  flush(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.send(held);
  }
}

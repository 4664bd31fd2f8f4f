/**
 * Progress on its way out of a worker: 20,000 files need not be 20,000 messages. What is held back is told before anything else is, so
 * that the last word about a stage is always how far it came.
 */
import type { WorkerEvent } from "./work.ts";

/** Milliseconds between two messages about the same stage. */
const pause = 100;

export class Seldom {
  #stage = "";
  #at = 0;
  #held: WorkerEvent | undefined;

  constructor(
    readonly emit: (event: WorkerEvent) => void,
    readonly now = () => performance.now(),
  ) {}

  tell(event: WorkerEvent): void {
    if (event.kind !== "progress") {
      this.flush();
      return this.emit(event);
    }
    if (event.stage === this.#stage && this.now() - this.#at < pause) {
      this.#held = event;
      return;
    }
    if (event.stage !== this.#stage) this.flush();
    this.#held = undefined;
    this.#stage = event.stage;
    this.#at = this.now();
    this.emit(event);
  }

  flush(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.emit(held);
  }
}

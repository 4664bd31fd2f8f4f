/** How long each stage of a run took, and how many bytes it processed, for its report. */

export interface StageTime {
  stage: string;
  seconds: number;
  bytes: number;
}

export class StageTimes {
  readonly all: StageTime[] = [];
  #stage: string | undefined;
  #since = 0;
  #bytes = 0;

  /** @param elapsed monotonic milliseconds */
  constructor(readonly elapsed: () => number) {}

  /** A new stage ends the one before it. `done` counts from the start of the stage. */
  reached(stage: string, done: number): void {
    if (stage !== this.#stage) {
      this.end();
      this.#stage = stage;
      this.#since = this.elapsed();
    }
    this.#bytes = done;
  }

  end(): void {
    if (this.#stage === undefined) return;
    const seconds = Math.round(this.elapsed() - this.#since) / 1000;
    this.add(this.#stage, { seconds, bytes: this.#bytes });
    this.#stage = undefined;
    this.#bytes = 0;
  }

  /** A stage that was measured elsewhere. */
  add(stage: string, { seconds, bytes }: Omit<StageTime, "stage">): void {
    this.all.push({ stage, seconds, bytes });
  }
}

/**
 * Liveness: whether the process works at all. Nothing external is checked: a restart would only
 * lose running exports.
 */

import type { Clocks } from "../domain/time.ts";

export interface LivenessOptions extends Pick<Clocks, "elapsed"> {
  /** The oldest last heartbeat of all workers, on that clock; undefined if none is running. */
  lastHeartbeatAt(): number | undefined;
  /** Delay of the event loop in seconds. */
  onLag?(seconds: number): void;
}

/** Milliseconds without an iteration of the event loop. */
const loopLimit = 30_000;
/**
 * Milliseconds without a heartbeat of a worker. Longer than jobs allow (worker_host.ts), which end
 * a blocked worker with its export: only if that fails is the service restarted.
 */
const workerLimit = 360_000;
const tick = 1_000;

export class Liveness {
  readonly #timer: ReturnType<typeof setInterval>;
  #turnedAt: number;

  constructor(private readonly options: LivenessOptions) {
    this.#turnedAt = options.elapsed();
    this.#timer = setInterval(() => this.#turn(), tick);
  }

  /** `output` describes the fault. */
  report(): { status: "pass" | "fail"; output?: string } {
    const now = this.options.elapsed();
    const heardAt = this.options.lastHeartbeatAt() ?? now;
    if (now - this.#turnedAt > loopLimit) return { status: "fail", output: "event loop stalled" };
    if (now - heardAt > workerLimit) return { status: "fail", output: "worker silent" };
    return { status: "pass" };
  }

  #turn(): void {
    const now = this.options.elapsed();
    this.options.onLag?.(Math.max(0, now - this.#turnedAt - tick) / 1000);
    this.#turnedAt = now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

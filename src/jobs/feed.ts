/** Wakes followers of exports, which then read the state: a slow one needs no memory. */
import { FairLimiter } from "./fair_limiter.ts";

/** Progress of an export in its current stage in bytes; `total` is 0 if unknown. */
export interface Progress {
  stage: string;
  done: number;
  total: number;
}

export class Feed {
  readonly #progress = new Map<string, Progress>();
  /** Version of each running export, incremented with every change. */
  readonly #versions = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #followers: FairLimiter;

  /** @param tenants number of tenants */
  constructor(tenants = 1, readonly maxFollowers = 64) {
    this.#followers = new FairLimiter(maxFollowers, tenants);
  }

  progressed(exportId: string, progress: Progress): void {
    this.#progress.set(exportId, progress);
    this.notify(exportId);
  }

  /** Something about this export has changed. */
  notify(exportId: string): void {
    this.#versions.set(exportId, this.versionOf(exportId) + 1);
    this.wake(exportId);
  }

  /** The version to pass to `waitForChange`: take it before reading. */
  versionOf(exportId: string): number {
    return this.#versions.get(exportId) ?? 0;
  }

  /** Wakes the followers without a change. */
  wake(exportId: string): void {
    const waiting = this.#waiting.get(exportId);
    this.#waiting.delete(exportId);
    waiting?.forEach((resolve) => resolve());
  }

  /** The export has ended: the rest is in the queue and the timeline. */
  ended(exportId: string): void {
    this.#progress.delete(exportId);
    this.#versions.delete(exportId);
    this.wake(exportId);
  }

  /** Wakes all followers; for shutdown. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.wake(id);
  }

  progressOf(exportId: string): Progress | undefined {
    return this.#progress.get(exportId);
  }

  /** Resolves unless the version is `count`, at the next change, or after `bound` milliseconds. */
  async waitForChange(exportId: string, count: number, bound: number): Promise<void> {
    if (this.versionOf(exportId) !== count) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(exportId) ?? new Set();
    this.#waiting.set(exportId, waiting.add(resolve));
    const limit = setTimeout(resolve, bound);
    await promise;
    clearTimeout(limit);
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#waiting.get(exportId) === waiting) {
      this.#waiting.delete(exportId);
    }
  }

  /** Registers a follower of the tenant's exports; see `FairLimiter.acquire`. */
  follow(tenant: string): (() => void) | undefined {
    return this.#followers.acquire(tenant);
  }
}

/**
 * News of running exports for those who follow them. Nothing is queued for anybody: a follower is woken, and reads where its
 * export stands, so a slow one costs no memory and misses nothing but steps of progress in between.
 */
import { FairLimiter } from "./fair_limiter.ts";

/** How far an export is in its stage; bytes, `total` 0 where it is not known. */
export interface Progress {
  stage: string;
  done: number;
  total: number;
}

export class Feed {
  readonly #progress = new Map<string, Progress>();
  /** How much news there was of each running export. */
  readonly #versions = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #followers: FairLimiter;

  /** @param tenants how many there are */
  constructor(tenants = 1, readonly maxFollowers = 64) {
    this.#followers = new FairLimiter(maxFollowers, tenants);
  }

  progressed(exportId: string, progress: Progress): void {
    this.#progress.set(exportId, progress);
    this.notify(exportId);
  }

  /** There is something new to read about this export. */
  notify(exportId: string): void {
    this.#versions.set(exportId, this.versionOf(exportId) + 1);
    this.wake(exportId);
  }

  /** To be handed to `waitForChange` by somebody who reads after asking for it. */
  versionOf(exportId: string): number {
    return this.#versions.get(exportId) ?? 0;
  }

  /** Lets its followers look again, for whatever reason. */
  wake(exportId: string): void {
    const waiting = this.#waiting.get(exportId);
    this.#waiting.delete(exportId);
    waiting?.forEach((resolve) => resolve());
  }

  /** It ended: what is left to read is in the queue and in the timeline. */
  ended(exportId: string): void {
    this.#progress.delete(exportId);
    this.#versions.delete(exportId);
    this.wake(exportId);
  }

  /** Wakes everybody, for a service that stops. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.wake(id);
  }

  progressOf(exportId: string): Progress | undefined {
    return this.#progress.get(exportId);
  }

  /** Resolves where there was news since `count`, at the next, or after `bound` milliseconds. */
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

  /** Counts a follower of the tenant's exports in, as `FairLimiter.take`. */
  follow(tenant: string): (() => void) | undefined {
    return this.#followers.acquire(tenant);
  }
}

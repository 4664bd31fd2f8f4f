/**
 * The main loop: runs up to `concurrency` jobs, renews their leases, and records each result before
 * its place is reused. No job can end the loop; writing to the database is retried until it
 * succeeds. A job that lost its lease is aborted: another process runs it.
 */
import { StellaError } from "../domain/errors.ts";
import type { Job, JobError, Outcome } from "./job.ts";
import { jobError } from "./job_error.ts";
import { type JobQueue, maxAttempts } from "./job_queue.ts";

export interface LoopOptions {
  queue: JobQueue;
  /** Runs the job; rejects soon after `signal` aborts. */
  work(job: Job, signal: AbortSignal): Promise<Omit<Outcome, "state" | "error">>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds: setting the clock cannot make a duration negative. */
  elapsed(): number;
  onStart(job: Job): void;
  /** It failed and waits `wait` milliseconds for its next try. */
  onDefer?(job: Job, error: JobError, wait: number): void;
  /** `seconds` counts from the start of the first attempt. */
  onEnd(job: Job, outcome: Outcome, seconds: number): void;
  /** Its lease was lost: whoever holds it now records the result. */
  onLost?(job: Job): void;
  /** A fault that is not the job's, such as a database that cannot be written. */
  onFault(error: unknown): void;
  /** Whether a retry may succeed; default: never. */
  isTransient?(error: unknown): boolean;
  /** Called before each job is leased; false prevents that. */
  mayStart?(): boolean;
  /** In [0, 1). */
  random?(): number;
  /** Number of jobs that run at once. */
  concurrency?: number;
  /** If jobs of these, which wait for the network, hold all places, one of another may run. */
  networkBound?: ReadonlySet<string>;
  /** Milliseconds between heartbeats, a third of the lease or less. */
  heartbeat?: number;
  /** Milliseconds between polls of the queue, and before a failed write is retried. */
  pause?: number;
  /** Milliseconds before the second try. */
  firstWait?: number;
}

const leaseLost = "Cannot finish the export: its lease was lost";

/** A running job. */
interface Running {
  profile: string;
  cancel: AbortController;
  /** Resolves when its result is recorded, or never will be. */
  done: Promise<void>;
}

export class Loop {
  readonly #options: Required<LoopOptions>;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Running>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #draining = false;

  constructor(options: LoopOptions) {
    this.#options = {
      heartbeat: 20_000,
      pause: 1_000,
      concurrency: 1,
      networkBound: new Set(),
      firstWait: 10_000,
      isTransient: () => false,
      mayStart: () => true,
      random: () => 0.5,
      onDefer: () => {},
      onLost: () => {},
      ...options,
    };
  }

  /** To start, and when there may be a new job or a free place. */
  wake(): void {
    clearTimeout(this.#timer);
    if (this.#draining) return;
    this.#fill();
    this.#timer = setTimeout(() => this.wake(), this.#options.pause);
  }

  /** Aborts the job if it runs here; the queue has been updated already. */
  cancel(id: string): void {
    const reason = new StellaError("cancelled", "Cannot finish the export: it was cancelled");
    this.#running.get(id)?.cancel.abort(reason);
  }

  /** Takes no new job; after `bound` milliseconds returns those that run to the queue. */
  async stop(bound: number): Promise<void> {
    this.#draining = true;
    clearTimeout(this.#timer);
    const limit = setTimeout(() => this.#stop.abort(), bound);
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    clearTimeout(limit);
  }

  #fill(): void {
    for (;;) {
      const job = this.#claim();
      if (job === undefined) return;
      const cancel = new AbortController();
      // Cancellation was requested while a previous process held the job.
      if (job.cancelling) cancel.abort();
      const done = this.#runOne(job, cancel.signal).catch(this.#options.onFault).finally(() => {
        this.#running.delete(job.id);
        this.wake();
      });
      this.#running.set(job.id, { profile: job.profile, cancel, done });
    }
  }

  /** The next job, if there is a place for it. */
  #claim(): Job | undefined {
    const { concurrency, networkBound, queue, mayStart } = this.#options;
    const isFull = this.#running.size >= concurrency;
    const isHeld = this.#running.size === concurrency && networkBound.size > 0 &&
      [...this.#running.values()].every(({ profile }) => networkBound.has(profile));
    if (isFull && !isHeld) return undefined;
    try {
      if (!mayStart()) return undefined;
      return queue.claim(new Set(this.#running.keys()), isHeld ? networkBound : new Set());
    } catch (error) {
      this.#options.onFault(error);
      return undefined;
    }
  }

  async #runOne(job: Job, cancelled: AbortSignal): Promise<void> {
    const { now, elapsed, queue, onStart, onEnd, onDefer, onLost } = this.#options;
    const before = Math.max(0, now() - (job.startedAt ?? now()));
    const started = elapsed();
    onStart(job);
    const outcome = await this.#outcome(job, cancelled);
    if (outcome === "lost") return onLost(job);
    const written = await this.#persist(() => {
      if (outcome === "released") return queue.release(job);
      if ("wait" in outcome) return queue.defer(job, outcome.error, outcome.wait);
      return queue.finish(job, outcome);
    });
    if (written === "lost") return onLost(job);
    if (written === "unwritten" || outcome === "released") return;
    if ("wait" in outcome) onDefer(job, outcome.error, outcome.wait);
    else onEnd(job, outcome, (before + elapsed() - started) / 1000);
  }

  /** The result of the work; released if it was interrupted by the shutdown. */
  async #outcome(
    job: Job,
    cancelled: AbortSignal,
  ): Promise<Outcome | { error: JobError; wait: number } | "released" | "lost"> {
    const { work, heartbeat, isTransient, random, firstWait } = this.#options;
    const lost = new AbortController();
    const beat = setInterval(() => {
      if (!this.#renewLease(job)) lost.abort(new StellaError("lease_lost", leaseLost));
    }, heartbeat);
    try {
      const signals = [this.#stop.signal, cancelled, lost.signal];
      const made = await work(job, AbortSignal.any(signals));
      return { state: "succeeded", ...made };
    } catch (thrown) {
      if (lost.signal.aborted) return "lost";
      if (cancelled.aborted) return { state: "cancelled" };
      if (this.#stop.signal.aborted) return "released";
      const error = jobError(thrown);
      if (!isTransient(thrown) || job.tries >= maxAttempts) return { state: "failed", error };
      return { error, wait: backoff(job.tries, random(), firstWait) };
    } finally {
      clearInterval(beat);
    }
  }

  /** Whether the lease is still ours; an unwritable database does not take it away. */
  #renewLease(job: Job): boolean {
    try {
      return this.#options.queue.heartbeat(job);
    } catch (error) {
      this.#options.onFault(error);
      return true;
    }
  }

  /** Retries until the write succeeds; after a shutdown the next start recovers the job. */
  async #persist(write: () => boolean): Promise<"written" | "lost" | "unwritten"> {
    for (;;) {
      try {
        return write() ? "written" : "lost";
      } catch (error) {
        this.#options.onFault(error);
      }
      if (this.#stop.signal.aborted) return "unwritten";
      await new Promise((resolve) => setTimeout(resolve, this.#options.pause));
    }
  }
}

/** Milliseconds; the longest wait between two tries. */
const longestWait = 600_000;

/**
 * Milliseconds to wait after `tries` tries: four times as long after each. `random`, in [0, 1),
 * spreads the second half: jobs that failed because a registry was down must not all retry at once.
 */
function backoff(tries: number, random: number, first: number): number {
  const whole = Math.min(longestWait, first * 4 ** Math.max(0, tries - 1));
  return Math.round(whole * (0.5 + random / 2));
}

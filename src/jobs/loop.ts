/**
 * The loop that works: as many jobs at once as it was told, each with its lease renewed while it
 * runs and its end written before its place is given to another. Nothing that a job does ends the
 * loop; a database that cannot be written to is tried again until it can. What failed in a way that
 * may pass is tried again later. A job whose lease is lost is aborted: another holder runs it, and
 * ends it.
 */
import { StellaError } from "../domain/errors.ts";
import { backoff } from "./backoff.ts";
import type { Job, JobError, Outcome } from "./job.ts";
import { jobError } from "./job_error.ts";
import { type JobQueue, maxAttempts } from "./job_queue.ts";

export interface LoopOptions {
  queue: JobQueue;
  /** Does the job; rejects soon after `signal` aborts. */
  work(job: Job, signal: AbortSignal): Promise<Omit<Outcome, "state" | "error">>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow: a clock that is set does not make a duration negative. */
  elapsed(): number;
  onStart(job: Job): void;
  /** It failed, and waits `wait` milliseconds for its next try. */
  onDefer?(job: Job, error: JobError, wait: number): void;
  /** `seconds` counts from the start of the first attempt. */
  onEnd(job: Job, outcome: Outcome, seconds: number): void;
  /** Its lease was lost while it ran here: what became of it is written by whoever holds it now. */
  onLost?(job: Job): void;
  /** Something that is not the job's fault, such as a database that cannot be written to. */
  onFault(error: unknown): void;
  /** Whether the same job may go well a little later; where it is not given, nothing does. */
  isTransient?(error: unknown): boolean;
  /** Asked before each job is taken; nothing is taken while it says no. */
  mayStart?(): boolean;
  /** In [0, 1). */
  random?(): number;
  /** How many jobs run at once. */
  concurrency?: number;
  /** Profiles whose jobs may wait for others for long: where they hold all places, there is one more for a job of another profile. */
  networkBound?: ReadonlySet<string>;
  /** Milliseconds between heartbeats, a third of the lease or less. */
  heartbeat?: number;
  /** Milliseconds after which the queue is looked at although nobody called `wake`, and a failed write is tried again. */
  pause?: number;
  /** Milliseconds before a second try. */
  firstWait?: number;
}

/** What a running job can be ended with. */
interface Running {
  profile: string;
  cancel: AbortController;
  /** Settles when its end is written, or never will be. */
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

  start(): void {
    this.wake();
  }

  /** There may be a new job, or a free place. */
  wake(): void {
    clearTimeout(this.#timer);
    if (this.#draining) return;
    this.#fill();
    this.#timer = setTimeout(() => this.wake(), this.#options.pause);
  }

  /** Ends the job soon, where it runs here; the queue has been told already. */
  cancel(id: string): void {
    const reason = new StellaError("interrupted", "The export was cancelled");
    this.#running.get(id)?.cancel.abort(reason);
  }

  /** Takes no new job, waits for the running ones at most `bound` milliseconds, then gives them back to the queue. */
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
      // Its cancelling could not be carried out by whoever held it before.
      if (job.cancelling) cancel.abort();
      const done = this.#runOne(job, cancel.signal).catch(this.#options.onFault).finally(() => {
        this.#running.delete(job.id);
        this.wake();
      });
      this.#running.set(job.id, { profile: job.profile, cancel, done });
    }
  }

  /** The next job, as far as there is a place for it. */
  #claim(): Job | undefined {
    const { concurrency: concurrency, networkBound, queue, mayStart } = this.#options;
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

  /** How the work ended; released where it was interrupted because the service stops. */
  async #outcome(
    job: Job,
    cancelled: AbortSignal,
  ): Promise<Outcome | { error: JobError; wait: number } | "released" | "lost"> {
    const { work, heartbeat, isTransient, random, firstWait } = this.#options;
    const lost = new AbortController();
    const beat = setInterval(() => {
      if (!this.#renewLease(job)) lost.abort(leaseLost());
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

  /** Whether the lease is still ours; a database that cannot be written to takes it from nobody. */
  #renewLease(job: Job): boolean {
    try {
      return this.#options.queue.heartbeat(job);
    } catch (error) {
      this.#options.onFault(error);
      return true;
    }
  }

  /**
   * Writes until it succeeds; unwritten where the service stops before that: the next start
   * recovers the job.
   */
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

function leaseLost(): StellaError {
  return new StellaError("interrupted", "The export was aborted: its lease was lost");
}

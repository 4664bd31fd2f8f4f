/**
 * The loop that works: one job at a time, its lease renewed while it runs, its end written before the next one starts.
 * Nothing that a job does ends the loop; a database that cannot be written to is tried again until it can.
 */
import { type ErrorCode, messageOf, StellaError } from "../errors.ts";
import type { Job, JobError, Outcome } from "./job.ts";
import type { Queue } from "./queue.ts";

export interface LoopOptions {
  queue: Queue;
  /** Does the job; rejects soon after `signal` aborts. */
  work(job: Job, signal: AbortSignal): Promise<{ bundleDigest?: string }>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow: a clock that is set does not make a duration negative. */
  elapsed(): number;
  onStart(job: Job): void;
  /** `seconds` counts from the start of the first attempt. */
  onEnd(job: Job, outcome: Outcome, seconds: number): void;
  /** Something that is not the job's fault, such as a database that cannot be written to. */
  onFault(error: unknown): void;
  /** Milliseconds between heartbeats, a third of the lease or less. */
  heartbeat?: number;
  /** Milliseconds after which the queue is looked at although nobody called `wake`, and a failed write is tried again. */
  pause?: number;
}

export class Loop {
  readonly #options: Required<LoopOptions>;
  readonly #stop = new AbortController();
  #done: Promise<void> | undefined;
  #draining = false;
  #wake: () => void = () => {};

  constructor(options: LoopOptions) {
    this.#options = { heartbeat: 20_000, pause: 1_000, ...options };
  }

  start(): void {
    this.#done = this.#run();
  }

  /** There may be a new job. */
  wake(): void {
    this.#wake();
  }

  /** Takes no new job, waits for the running one at most `bound` milliseconds, then gives it back to the queue. */
  async stop(bound: number): Promise<void> {
    this.#draining = true;
    this.#wake();
    const limit = setTimeout(() => this.#stop.abort(), bound);
    await this.#done;
    clearTimeout(limit);
  }

  async #run(): Promise<void> {
    while (!this.#draining) {
      const job = this.#claim();
      if (job === undefined) await this.#sleep();
      else await this.#runOne(job);
    }
  }

  #claim(): Job | undefined {
    try {
      return this.#options.queue.claim();
    } catch (error) {
      this.#options.onFault(error);
      return undefined;
    }
  }

  async #runOne(job: Job): Promise<void> {
    const { now, elapsed } = this.#options;
    const before = Math.max(0, now() - (job.startedAt ?? now()));
    const started = elapsed();
    this.#options.onStart(job);
    const outcome = await this.#outcome(job);
    if (outcome === undefined) {
      await this.#persist(() => this.#options.queue.release(job));
    } else if (await this.#persist(() => this.#options.queue.finish(job, outcome))) {
      this.#options.onEnd(job, outcome, (before + elapsed() - started) / 1000);
    }
  }

  /** How the work ended; undefined where it was interrupted because the service stops. */
  async #outcome(job: Job): Promise<Outcome | undefined> {
    const beat = setInterval(() => this.#beat(job), this.#options.heartbeat);
    try {
      const { bundleDigest } = await this.#options.work(job, this.#stop.signal);
      return { state: "succeeded", ...(bundleDigest === undefined ? {} : { bundleDigest }) };
    } catch (error) {
      if (this.#stop.signal.aborted) return undefined;
      return { state: "failed", error: jobError(error) };
    } finally {
      clearInterval(beat);
    }
  }

  #beat(job: Job): void {
    try {
      this.#options.queue.heartbeat(job);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  /** Writes until it succeeds, or until the service stops: then the next start recovers the job. */
  async #persist(write: () => boolean): Promise<boolean> {
    for (;;) {
      try {
        return write();
      } catch (error) {
        this.#options.onFault(error);
      }
      if (this.#stop.signal.aborted) return false;
      await this.#sleep();
    }
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#options.pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What a job's owner is told. A failure without a code is ours, and so is its text. */
function jobError(thrown: unknown): JobError {
  const code: ErrorCode = thrown instanceof StellaError ? thrown.code : "internal";
  const hint = thrown instanceof StellaError ? thrown.hint : undefined;
  return { code, message: messageOf(thrown), ...(hint === undefined ? {} : { hint }) };
}

/**
 * The contract of a job queue: SQLite implements it, and one in memory for tests. One suite tests
 * both (tests/jobs/queue_contract_test.ts).
 *
 * A job is durable before its caller gets a response. It is leased to one runner, whose heartbeats
 * renew the lease, and only the attempt that holds the lease can end it: a job ends exactly once.
 * Tenants take turns, however much each has queued.
 */
import { StellaError } from "../domain/errors.ts";
import type { Trigger } from "../domain/labels.ts";
import type { Job, JobError, Outcome, State } from "./job.ts";

export interface QueueOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** Creates a unique id. */
  newId: () => string;
  /** Milliseconds that a lease lasts without a heartbeat. */
  lease?: number;
  /** Called before a new queue is created; throws to refuse that. */
  onNew?: () => void;
}

export type NewJob = Pick<Job, "tenant" | "profile" | "request" | "actor" | "traceparent"> & {
  /** Default: `api`. */
  trigger?: Trigger;
  /** Repeating a key within a tenant returns the existing job. */
  idempotencyKey?: string;
};

export interface Filter {
  /** Only jobs of these tenants; other tenants' jobs are invisible, also to cursors. */
  tenants?: readonly string[];
  profile?: string;
  state?: State;
  /** Only jobs before the one with this id, which need not exist any more. */
  before?: string;
  limit: number;
}

/** Numbers for the metrics; times in milliseconds since 1970. */
export interface Figures {
  queued: number;
  running: number;
  oldestQueuedAt: number | undefined;
  /** By profile: start of the oldest running job. */
  oldestRunningAt: Map<string, number>;
}

export interface Recovered {
  again: Job[];
  /** Jobs that failed now because they ended the service too often. */
  givenUp: Job[];
  cancelled: Job[];
}

/** Every write throws StellaError io if the disk is full or failing. */
export interface JobQueue {
  /**
   * `isNew` is false if the idempotency key is known.
   * @throws StellaError conflict if the key was used for another request, busy if `max` jobs of the
   * tenant are waiting
   */
  enqueue(job: NewJob, max?: number): { job: Job; isNew: boolean };
  get(id: string): Job | undefined;
  /** Newest first. */
  list(filter: Filter): Job[];
  /**
   * Leases a job: one whose lease has expired, otherwise the oldest ready job of the next tenant.
   * Jobs in `held` are still running here, whatever their lease says: a suspended process is not
   * dead. Profiles in `passed` are skipped.
   */
  claim(held?: ReadonlySet<string>, passed?: ReadonlySet<string>): Job | undefined;
  /** Renews the lease; false if this attempt no longer holds it. */
  heartbeat(job: Job): boolean;
  /** Ends a job; false if its lease is lost. `sameAs`: it has no bundle, that job is confirmed. */
  finish(job: Job, outcome: Outcome): boolean;
  /** Returns a job as if this attempt had not happened: the service is shutting down. */
  release(job: Job): boolean;
  /** Returns a failed job to the queue, to be retried after `wait` milliseconds. */
  defer(job: Job, error: JobError, wait: number): boolean;
  /** Cancels a waiting job, marks a running one, leaves an ended one; returns the job. */
  cancel(id: string): Job | undefined;
  /**
   * Queues a failed or cancelled job again and leaves all others unchanged; returns the job.
   * @throws StellaError busy if `max` jobs of its tenant are waiting
   */
  retry(id: string, max?: number): Job | undefined;
  /** Removes an ended job; false for any other. */
  remove(id: string): boolean;
  /** Jobs of the profile whose bundles exist, in the order of their ends, whatever the clock. */
  made(profile: string): Job[];
  /** Records that the bundles of these jobs were removed. */
  bundlesRemoved(ids: readonly string[]): void;
  /** Removes up to `max` jobs that ended before `before` and have no bundle. */
  prune(before: number, max: number): Job[];
  /** Called at startup with the lock held: jobs marked as running belonged to a dead process. */
  recover(): Recovered;
  figures(): Figures;
  /** By profile: end of its last success in milliseconds since 1970. */
  lastSuccesses(): Map<string, number>;
  /** Checks that the queue is writable. @throws StellaError */
  probe(): void;
  close(): void;
}

/** Starts after which a job is given up: each ended the service or failed transiently. */
export const maxAttempts = 3;

/** Milliseconds. A later time is from before the clock was set back: the job is due. */
export const maxWait = 3_600_000;

export const defaultLease = 60_000;

export const gaveUp: JobError = {
  code: "defect",
  reason: "worker_lost",
  message: `Cannot finish the export: the service ended ${maxAttempts} times while it ran`,
  hint: "check the service's log before its starts, then export again",
};

export function keyReused(): StellaError {
  const text = "Cannot queue the export: the idempotency key was used for another request";
  return new StellaError("idempotency_key_reused", text, {
    hint: "use a new key for a new request",
  });
}

export function queueFull(max: number): StellaError {
  const text = `Cannot queue the export: the queue of this tenant is full (limit: ${max})`;
  return new StellaError("queue_full", text, {
    hint: "try again when some of them are done; the limit is service.maxQueued in stella.yaml",
  });
}

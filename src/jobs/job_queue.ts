/**
 * What a queue of jobs promises, whatever keeps it: queue.ts on SQLite, and one in memory for tests. One suite holds both to it
 * (tests/jobs/queue_contract_test.ts).
 *
 * A job is kept before its caller hears of it. It is leased to one runner, whose heartbeat renews the lease, and only the
 * attempt that holds the lease may end it: a job ends exactly once. Tenants take turns, whoever queued how much.
 */
import { StellaError } from "../domain/errors.ts";
import type { Trigger } from "../domain/labels.ts";
import type { Job, JobError, Outcome, State } from "./job.ts";

export interface QueueOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** A new, unique id. */
  newId: () => string;
  /** Milliseconds that a job stays leased without a heartbeat. */
  lease?: number;
  /** Called before a queue is made where there was none; what it throws refuses that. */
  onNew?: () => void;
}

export interface NewJob {
  tenant: string;
  profile: string;
  /** Plain data. */
  request: unknown;
  /** `api` where it is not given. */
  trigger?: Trigger;
  /** Name of the token that asks. */
  actor?: string;
  /** The same key of the same tenant gives the job that stands there already. */
  idempotencyKey?: string;
  /** Kept with the job; the trace of a repeated request is not. */
  traceparent?: string;
}

export interface Filter {
  /** Only jobs of these; to everything else, a cursor too, it is as if no other tenant were there. */
  tenants?: readonly string[];
  profile?: string;
  state?: State;
  /** Only jobs that came before the one with this id, which need not be there any more. */
  before?: string;
  limit: number;
}

/** What waits and what runs, for the metrics; times in milliseconds since 1970. */
export interface Figures {
  queued: number;
  running: number;
  oldestQueuedAt: number | undefined;
  /** By profile: when the oldest running job started. */
  oldestRunningAt: Map<string, number>;
}

export interface Recovered {
  again: Job[];
  /** Failed now: they ended the service too often. */
  givenUp: Job[];
  cancelled: Job[];
}

/** Everything that writes throws StellaError media where the disk is full or failing. */
export interface JobQueue {
  /**
   * `isNew` is false where the idempotency key is known. A new one is refused where `max` of its tenant wait already.
   * @throws StellaError usage where the key was used for another request, or the tenant's queue is full
   */
  enqueue(job: NewJob, max?: number): { job: Job; isNew: boolean };
  get(id: string): Job | undefined;
  /** Newest first. */
  list(filter: Filter): Job[];
  /**
   * Leases a job: one whose lease has run out, else the oldest ready one of the tenant whose turn it is. Jobs in `held` are
   * still worked on here, whatever their lease says: a process that was stopped for a while has not died. Jobs of the profiles in
   * `passed` are passed over.
   */
  claim(held?: ReadonlySet<string>, passed?: ReadonlySet<string>): Job | undefined;
  /** Renews the lease; false where this attempt no longer holds it. */
  heartbeat(job: Job): boolean;
  /**
   * Ends a job; false where this attempt no longer holds it. With `sameAs` the job has no bundle of
   * its own, and the job of that id is confirmed.
   */
  finish(job: Job, outcome: Outcome): boolean;
  /** Gives a job back as if this attempt had not been: the service stops before it is done. */
  release(job: Job): boolean;
  /** Gives a job back that failed and is to be tried again after `wait` milliseconds. */
  defer(job: Job, error: JobError, wait: number): boolean;
  /** Ends a job that waits, marks one that runs, leaves one that has ended; the job afterwards. */
  cancel(id: string): Job | undefined;
  /**
   * Queues a failed or cancelled job again, leaves every other; the job afterwards.
   * @throws StellaError usage where `max` of its tenant wait already
   */
  retry(id: string, max?: number): Job | undefined;
  /** Forgets a job that has ended; false for every other. */
  remove(id: string): boolean;
  /** Jobs of the profile that succeeded and whose bundles are there, in the order in which they ended, whatever the clock said. */
  made(profile: string): Job[];
  /** The bundles of these jobs are gone. */
  bundlesRemoved(ids: readonly string[]): void;
  /** Forgets jobs that ended before `before` and have no bundle any more, at most `max` of them. */
  prune(before: number, max: number): Job[];
  /** After a start, with the lock held: what runs according to the queue ran in a process that is dead. */
  recover(): Recovered;
  figures(): Figures;
  /** By profile: when its last success ended, in milliseconds since 1970. */
  lastSuccesses(): Map<string, number>;
  /** Makes sure that the queue can be written to. @throws StellaError */
  probe(): void;
  close(): void;
}

/** A job is given up after so many starts: it ended the service each time, or failed in a way that might have passed. */
export const maxAttempts = 3;

/** Milliseconds; nothing waits longer. What claims to is from before a clock was set back, and is due. */
export const maxWait = 3_600_000;

export const defaultLease = 60_000;

export const gaveUp: JobError = {
  code: "internal",
  message: `The service ended ${maxAttempts} times while this export ran`,
  hint: "look at the service's log around its starts, then ask for the export again",
};

export function keyReused(): StellaError {
  return new StellaError(
    "usage",
    "Cannot queue the export: the idempotency key has another request",
    {
      hint: "use a new key for a new request",
      findings: [{ code: "usage", reason: "idempotency_key_reused" }],
    },
  );
}

export function queueFull(max: number): StellaError {
  return new StellaError(
    "busy",
    `Cannot queue the export: ${max} exports of this tenant wait already`,
    {
      hint: "ask again when some of them are done; service.maxQueued in stella.yaml is the limit",
      findings: [{ code: "busy", reason: "queue_full" }],
    },
  );
}

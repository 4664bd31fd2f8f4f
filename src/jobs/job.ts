/**
 * Jobs: requests that are kept until they are done. This module queues, leases and runs work that
 * it is given as a function, so the queue is tested without exports.
 */

import type { ErrorRecord } from "../domain/errors.ts";
import type { Trigger } from "../domain/labels.ts";

export const states = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
export type State = typeof states[number];
export type Finished = Exclude<State, "queued" | "running">;

/** Why a job failed, for its owner; job_error.ts limits its size. */
export type JobError = ErrorRecord;

/** Times are milliseconds since 1970. */
export interface Job {
  /** UUIDv7; the exportId in logs, API and store. */
  id: string;
  tenant: string;
  profile: string;
  /** The work, as plain data; opaque here. */
  request: unknown;
  state: State;
  trigger: Trigger;
  /** Name of the token that requested it; absent for a schedule, or if unknown. */
  actor?: string;
  /** Total number of starts: distinguishes successive holders of the job. */
  attempt: number;
  /** Starts that count against the limit: not those that a shutdown ended; a retry resets them. */
  tries: number;
  createdAt: number;
  /** Start of the first attempt. */
  startedAt?: number;
  finishedAt?: number;
  /** Earliest start after a failure. */
  notBefore?: number;
  /** Cancellation was requested but the job has not ended yet. */
  cancelling?: true;
  bundleDigest?: string;
  /** Size of the bundle: its files and its manifest. */
  bytes?: number;
  /** Number of payload files in the bundle. */
  files?: number;
  /** Id of the earlier export whose stored bundle is equal: no second copy was stored. */
  sameAs?: string;
  /** When a later export last had the same result as the stored bundle. */
  confirmedAt?: number;
  /** Error of the last attempt, also while waiting for the next one. */
  error?: JobError;
  /** The caller's W3C trace context; opaque here. */
  traceparent?: string;
}

/** Result of a job. */
export interface Outcome
  extends Pick<Job, "bundleDigest" | "bytes" | "files" | "sameAs" | "error"> {
  state: Finished;
}

export function isFinished({ state }: Job): boolean {
  return state !== "queued" && state !== "running";
}

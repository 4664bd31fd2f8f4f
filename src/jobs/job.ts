/**
 * Jobs: what was asked for, kept until it is done. This module knows how to queue, lease and run work, and nothing of what
 * the work is: that comes in as a function, so that the queue can be tested without an export.
 */

import type { Finding } from "../domain/errors.ts";
import type { Trigger } from "../domain/labels.ts";

export const states = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
export type State = typeof states[number];
export type Finished = Exclude<State, "queued" | "running">;

/** Why a job failed, for the person who asked for it. */
export interface JobError {
  /** A code of errors.ts. */
  code: string;
  message: string;
  hint?: string;
  /** What was found, as far as one message cannot tell it; see job_error.ts for how much of it. */
  findings?: readonly Finding[];
}

/** Times are milliseconds since 1970. */
export interface Job {
  /** UUIDv7; as exportId it runs through logs, API and store. */
  id: string;
  tenant: string;
  profile: string;
  /** What to do, as plain data; opaque here. */
  request: unknown;
  state: State;
  trigger: Trigger;
  /** Name of the token that asked for it; absent for a schedule, and where it is not known. */
  actor?: string;
  /** How often it was started, over all: it tells one holder of the job from the next. */
  attempt: number;
  /** Starts that count: not those that a stop of the service took back, and not those before a person asked again. */
  tries: number;
  createdAt: number;
  /** Of the first attempt. */
  startedAt?: number;
  finishedAt?: number;
  /** It waits at least until then, because it failed before. */
  notBefore?: number;
  /** Somebody wants it to end, and it has not yet. */
  cancelling?: true;
  bundleDigest?: string;
  /** Size of the bundle: its files and its manifest. */
  bytes?: number;
  /** Number of payload files in the bundle. */
  files?: number;
  /** Id of the earlier export whose stored bundle this one equals: no second copy was stored. */
  sameAs?: string;
  /** When a later export last equalled the stored bundle of this one. */
  confirmedAt?: number;
  /** Of the last attempt; also of a job that waits for its next one. */
  error?: JobError;
  /** The caller's trace, as W3C Trace Context writes it; opaque here. */
  traceparent?: string;
}

/** How a job ended. */
export interface Outcome {
  state: Finished;
  bundleDigest?: string;
  bytes?: number;
  files?: number;
  sameAs?: string;
  error?: JobError;
}

export function isFinished({ state }: Job): boolean {
  return state !== "queued" && state !== "running";
}

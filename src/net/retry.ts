/** Retries: transient failures are tried up to five times, with increasing, jittered waits. */
import { setTimeout } from "node:timers/promises";
import { RemoteError, stopped } from "./failure.ts";

export interface Timing {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Rejects as soon as `signal` aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const attempts = 5;
const firstWait = 500;
const maxWait = 8_000;
/** A registry that demands a longer wait is given up: an export must not hang for hours. */
const maxRetryAfter = 120_000;

/** It calls `progressed` when it got further than before: then attempts are counted anew. */
export type Action<T> = (progressed: () => void) => Promise<T>;

/**
 * Runs `action` until it succeeds or fails permanently.
 * @throws the last error of `action`; a RemoteError after all attempts names their number
 */
export async function withRetries<T>(
  action: Action<T>,
  timing: Timing,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await action(() => attempt = 1);
    } catch (error) {
      if (!(error instanceof RemoteError) || !error.isTransient) throw error;
      if (attempt === attempts) throw exhausted(error);
      if ((error.retryAfter ?? 0) > maxRetryAfter) throw tooLong(error);
      await timing.sleep(waitBefore(attempt, error.retryAfter, timing), signal);
    }
  }
}

/** At least what the registry demands; otherwise between half and all of 0.5, 1, 2, 4, 8 s. */
function waitBefore(attempt: number, asked: number | undefined, timing: Timing): number {
  const step = Math.min(maxWait, firstWait * 2 ** (attempt - 1));
  return Math.max(asked ?? 0, step / 2 + timing.random() * step / 2);
}

function exhausted(error: RemoteError): RemoteError {
  return permanent(error, `${error.message} (${attempts} attempts)`, error.hint);
}

function tooLong(error: RemoteError): RemoteError {
  const seconds = Math.ceil((error.retryAfter ?? 0) / 1000);
  return permanent(error, error.message, `the registry asks to wait ${seconds} s: push again then`);
}

function permanent(cause: RemoteError, message: string, hint: string | undefined): RemoteError {
  return new RemoteError(cause.reason, message, { cause, status: cause.status, hint });
}

/** A monotonic clock, in milliseconds, and random bytes. */
export interface Clock {
  elapsed(): number;
  random(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** Real timers. */
export function timingOf({ elapsed, random }: Clock): Timing {
  return {
    now: elapsed,
    random: () => new DataView(random(new Uint8Array(4)).buffer).getUint32(0) / 2 ** 32,
    sleep,
  };
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return setTimeout(milliseconds, undefined, signal && { signal }).catch((error) => {
    throw signal?.aborted ? stopped(signal) : error;
  });
}

/** Bucket bounds of the histograms. */

/**
 * Seconds, in steps of 2 to 2.5. The SLAs are added, because a quantile can only be compared
 * exactly with a bound.
 */
export function durationBuckets(slas: readonly number[]): number[] {
  const steps = [0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  return [...new Set([...steps, ...slas])].sort((a, b) => a - b);
}

/** Bytes, powers of 4 and 16; 4294967295 is the largest file that FAT32 can hold. */
export const sizeBuckets = [
  65536,
  1048576,
  16777216,
  67108864,
  268435456,
  1073741824,
  4294967295,
  17179869184,
  68719476736,
];

/** Seconds; 600 is the time limit of a push, so a timeout is still within a bucket. */
export const pushBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Seconds; a stage of a small export takes milliseconds, a large push an hour. */
export const stageBuckets = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

/** Seconds; the defaults of prom-client, made for requests. */
export const httpBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Seconds; an iteration of the event loop takes about a millisecond, and 0.02 is the limit for
 * health answers.
 */
export const lagBuckets = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

/** Bucket borders; the reasons for each are in operations.md A4. */

/** Seconds, steps of 2 to 2.5. The SLAs join them, because a quantile can only be compared with a border exactly. */
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

/** Seconds; 600 is the deadline of a push, so that a timeout still lies in a bucket. */
export const pushBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Seconds; a stage of a small export takes milliseconds, a push of a large one an hour. */
export const stageBuckets = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

/** Seconds; prom-client's own, which are meant for requests. */
export const httpBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds; a turn of the loop takes a millisecond or so, and 0.02 is what health answers may take. */
export const lagBuckets = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

/** Work on files is synchronous for speed; signals and timers get their turn now and then. */

/**
 * `work`, done at most every `pause` milliseconds of the clock `elapsed`. Undefined while it is not
 * due: a promise for each of a million files would cost a tenth of an export.
 */
export function throttled(
  work: () => Promise<void>,
  elapsed: () => number,
  pause = 50,
): () => Promise<void> | undefined {
  let last = elapsed();
  return () => {
    if (elapsed() - last < pause) return undefined;
    return work().finally(() => last = elapsed());
  };
}

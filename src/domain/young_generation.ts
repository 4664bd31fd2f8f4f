/**
 * Buffers that are garbage go only when V8 looks, and it lets 64 MiB of them gather before it does,
 * unless its young generation fills: then they go at once. Whoever makes and drops megabytes of
 * buffers calls this for every few of them: half a millisecond keeps the promise of 200 MiB
 * (README, Speed); a collection on demand costs a hundred times as much.
 */

/** Makes so many small arrays that nobody keeps; the usual number is two megabytes. */
export function fillYoungGeneration(arrays = 40_000): unknown {
  let last: unknown;
  for (let i = 0; i < arrays; i++) last = [i];
  return last;
}

/**
 * Runs `work` for each item, at most `count` at a time. The first error aborts the others.
 * @throws that error, once nothing runs any more
 */
export async function eachOf<T>(
  items: readonly T[],
  count: number,
  abort: AbortController,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  let failure: { error: unknown } | undefined;
  const lane = async () => {
    try {
      // The lanes share one iterator.
      for (const item of rest) {
        abort.signal.throwIfAborted();
        await work(item);
      }
    } catch (error) {
      failure ??= { error };
      abort.abort(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, lane));
  if (failure !== undefined) throw failure.error;
}

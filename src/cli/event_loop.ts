/** File I/O is synchronous for speed: yielding regularly keeps signals and timers working. */
import { type BundleSource, type ListedEntry, type Read, withRead } from "../bundle/source.ts";
import { StellaError } from "../domain/errors.ts";
import type { Host } from "./host.ts";

type Clock = Pick<Host, "stop" | "elapsed">;

/** Lets signals and timers run; throws StellaError interrupted once the process should stop. */
export function yielder({ stop }: Pick<Host, "stop">): () => Promise<void> {
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (stop.aborted) throw interrupted();
  };
}

export function interrupted(): StellaError {
  return new StellaError("interrupted", "Interrupted: nothing was left behind", {
    hint: "run the same command again",
  });
}

export function stopped({ stop }: Pick<Host, "stop">): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve()));
}

/** Milliseconds. */
const pause = 50;

function throttle(host: Clock) {
  const turn = yielder(host);
  let last = host.elapsed();
  return {
    isDue: () => host.elapsed() - last >= pause,
    turn: () => turn().then(() => void (last = host.elapsed())),
  };
}

/** Yields at most every 50 ms. */
export function throttledYielder(host: Clock): () => Promise<void> {
  const { isDue, turn } = throttle(host);
  return async () => {
    if (isDue()) await turn();
  };
}

/** The same source, yielding between reads and during listing, at most every 50 ms. */
export function yieldingSource(source: BundleSource, host: Clock): BundleSource {
  const { isDue, turn } = throttle(host);
  const read: Read = (reader, buffer) =>
    isDue() ? turn().then(() => reader.read(buffer)) : reader.read(buffer);
  async function* walk(directory: string, max?: number): AsyncGenerator<ListedEntry> {
    for await (const found of source.walk?.(directory, max) ?? []) {
      if (isDue()) await turn();
      yield found;
    }
  }
  return { ...withRead(source, read), ...(source.walk === undefined ? {} : { walk }) };
}

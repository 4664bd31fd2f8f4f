/** Work on files is synchronous, because that is fastest; now and then it has to let signals and timers have their turn. */
import { StellaError } from "../domain/errors.ts";
import {
  type BundleSource,
  type ByteReader,
  type ListedEntry,
  withOpen,
} from "../bundle/source.ts";
import type { Host } from "./host.ts";

/** @throws StellaError interrupted once the process was asked to stop */
export function breathe(host: Host): () => Promise<void> {
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (host.stop.aborted) throw interrupted();
  };
}

export function interrupted(): StellaError {
  return new StellaError("interrupted", "Interrupted: nothing was left behind", {
    hint: "run the same command again",
  });
}

const pause = 50;

/** The same, at most every 50 ms. */
export function breatheSeldom(host: Host): () => Promise<void> {
  const breath = breathe(host);
  let last = host.now();
  return async () => {
    if (host.now() - last < pause) return;
    await breath();
    last = host.now();
  };
}

/** A source that breathes between reads and while it is listed, at most every 50 ms. */
export function breathing(source: BundleSource, host: Host): BundleSource {
  const breath = breathe(host);
  let last = host.now();
  const isDue = () => host.now() - last >= pause;
  const turn = () => breath().then(() => void (last = host.now()));
  const read = (reader: ByteReader, buffer: Uint8Array) =>
    isDue() ? turn().then(() => reader.read(buffer)) : reader.read(buffer);
  const open = async (path: string) => {
    const reader = await source.open(path);
    return reader &&
      {
        size: reader.size,
        close: () => reader.close(),
        read: (buffer: Uint8Array) => read(reader, buffer),
      };
  };
  async function* walk(directory: string, most?: number): AsyncGenerator<ListedEntry> {
    for await (const found of source.walk?.(directory, most) ?? []) {
      if (isDue()) await turn();
      yield found;
    }
  }
  return { ...withOpen(source, open), ...(source.walk === undefined ? {} : { walk }) };
}

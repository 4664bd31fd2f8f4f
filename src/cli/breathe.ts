/** Work on files is synchronous, because that is fastest; now and then it has to let signals and timers have their turn. */
import { StellaError } from "../errors.ts";
import { type BundleSource, type ByteReader, opening } from "../bundle/source.ts";
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

/** A source that breathes between reads, at most every 50 ms. */
export function breathing(source: BundleSource, host: Host): BundleSource {
  const breath = breathe(host);
  let last = host.now();
  const read = (reader: ByteReader, buffer: Uint8Array) => {
    if (host.now() - last < pause) return reader.read(buffer);
    return breath().then(() => {
      last = host.now();
      return reader.read(buffer);
    });
  };
  return opening(source, async (path) => {
    const reader = await source.open(path);
    return reader &&
      { size: reader.size, close: () => reader.close(), read: (buffer) => read(reader, buffer) };
  });
}

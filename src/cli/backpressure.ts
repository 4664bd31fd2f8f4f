/**
 * Keeps the verification of a bundle close behind its upload, while its bytes are still in memory:
 * both share a thread, and a verification that runs ahead starves the upload.
 */
import { type BundleSource, withRead } from "../bundle/source.ts";

/** Bytes that may be read ahead: a few chunks, or the workers of the verification would idle. */
const maxReadAhead = 16 * 1024 * 1024;
/** Bytes that a connection buffers: once they are sent, the registry has work. */
const startBytes = 4 * 1024 * 1024;

export class Backpressure {
  #sent = 0;
  #read = 0;
  #wake = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<void>();

  /** Resolves once the first bytes were sent: starting workers blocks the thread for a while. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  sent(bytes: number, total = Infinity): void {
    this.#sent = bytes;
    if (bytes >= Math.min(startBytes, total)) this.#started.resolve();
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  end(): void {
    this.sent(Infinity);
  }

  /** The same bundle, read no faster than it is sent. */
  source(source: BundleSource): BundleSource {
    return withRead(source, async (reader, buffer) => {
      while (this.#read > this.#sent + maxReadAhead) await this.#wake.promise;
      const length = await reader.read(buffer);
      this.#read += length;
      return length;
    });
  }
}

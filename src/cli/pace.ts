/**
 * Keeps the judging of a bundle close behind its sending: both share one thread, and a judge that runs ahead starves the sender, which
 * the registry then waits for. Behind it, the bytes are still in memory, and the time between two pieces is enough.
 */
import { type BundleSource, type ByteReader, withOpen } from "../bundle/source.ts";

/** Bytes that may be read ahead: a few chunks, or the judge's workers would stand still. */
const lead = 16 * 1024 * 1024;
/** Bytes that a connection takes at once: with them on their way the registry has work, whatever this thread does next. */
const head = 4 * 1024 * 1024;

export class Pace {
  #sent = 0;
  #read = 0;
  #wake = Promise.withResolvers<void>();
  readonly #underWay = Promise.withResolvers<void>();

  /** Settles once the first bytes are on their way: to start the judge's workers takes this thread as long as a dozen megabytes. */
  get underWay(): Promise<void> {
    return this.#underWay.promise;
  }

  /** So many bytes of the bundle, which has `total`, have gone out. */
  sent(bytes: number, total = Infinity): void {
    this.#sent = bytes;
    if (bytes >= Math.min(head, total)) this.#underWay.resolve();
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Nothing is sent, or nothing more. */
  over(): void {
    this.sent(Infinity);
  }

  /** The same bundle, whose bytes come no faster than they are sent. */
  source(source: BundleSource): BundleSource {
    return withOpen(source, async (path) => {
      const reader = await source.open(path);
      return reader && this.#reader(reader);
    });
  }

  #reader(reader: ByteReader): ByteReader {
    const read = async (buffer: Uint8Array) => {
      while (this.#read > this.#sent + lead) await this.#wake.promise;
      const length = await reader.read(buffer);
      this.#read += length;
      return length;
    };
    return { size: reader.size, close: () => reader.close(), read };
  }
}

/**
 * A blob as a file that is read once, in order, with no copy of it. Large ones come in parts, each by a request of its own: Deno 2.9
 * cannot slow down a TLS connection, so that all of an answer that is read slowly ends up in memory.
 */
import type { ByteReader } from "../bundle/source.ts";
import type { Descriptor } from "./artifact.ts";
import { RegistryError } from "../net/failure.ts";
import type { Stream } from "../net/message.ts";
import type { OpenBlob, Repository } from "./repository.ts";

/** Parts that are asked for while one is read. */
const partsAhead = 2;

/** Undefined where the registry has no such blob. @throws RegistryError */
export async function openBlobReader(
  repository: Repository,
  blob: Descriptor,
): Promise<ByteReader | undefined> {
  const { client, signal } = repository;
  const opened = await client.retrying(() => openAt(repository, blob, 0), signal);
  return opened && new BlobReader(repository, blob, opened);
}

/** A small blob is asked for without a range, which could not be had of an empty one. */
function openAt(repository: Repository, { digest, size }: Descriptor, at: number) {
  const { part } = repository.client;
  const end = (Math.floor(at / part) + 1) * part;
  return repository.openBlob(digest, at, at === 0 && size <= part ? undefined : end);
}

/** A part that was asked for ahead; undefined where it did not come. */
interface Ahead {
  at: number;
  opened: Promise<OpenBlob | undefined>;
}

class BlobReader implements ByteReader {
  #stream: Stream | undefined;
  #ahead: Ahead[] = [];
  #at = 0;
  /** Ends the parts that nobody will read; and what they end by, that or the caller's own. */
  #stop = new AbortController();
  #signal: AbortSignal;
  readonly #rooms: Uint8Array[] = [];

  /** As the registry says it; whether it is right is not judged here. */
  readonly size: number;

  constructor(readonly repository: Repository, readonly blob: Descriptor, opened: OpenBlob) {
    this.size = opened.size;
    this.#stream = opened.stream;
    this.#signal = this.#begun();
    if (opened.isPart) this.#askAhead();
  }

  async read(buffer: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < buffer.length && this.#at < this.size) {
      filled += await this.#some(buffer.subarray(filled));
    }
    return filled;
  }

  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
    for (const { opened } of this.#ahead) opened.then((one) => one?.stream.close());
    this.#ahead = [];
    this.#stop.abort();
  }

  /** Some of the next bytes, one at least; a connection that ends before is replaced by one that begins where it stood. */
  async #some(buffer: Uint8Array): Promise<number> {
    const { client, signal } = this.repository;
    const length = await client.retrying(async () => {
      try {
        const now = await this.#stream?.read(buffer) ?? 0;
        if (now > 0) return now;
        this.#stream?.close();
        this.#stream = await this.#follow();
        return await this.#stream.read(buffer) || this.#short();
      } catch (error) {
        this.close();
        throw error;
      }
    }, signal);
    this.#at += length;
    return length;
  }

  /** The part that begins here. */
  async #follow(): Promise<Stream> {
    const ahead = this.#ahead[0]?.at === this.#at ? await this.#ahead.shift()!.opened : undefined;
    if (ahead === undefined) this.close();
    const opened = ahead ?? await openAt(this.repository, this.blob, this.#at);
    if (opened?.size === this.size) {
      this.#askAhead();
      return opened.stream;
    }
    opened?.stream.close();
    throw new RegistryError("rejected", `The blob ${this.blob.digest} changed while it was read`, {
      hint: "the registry's storage is being cleaned or repaired: try again later",
    });
  }

  /** A part that could not be had ahead is asked for again when it is its turn; what was given up may be gone on with. */
  #askAhead(): void {
    if (this.#stop.signal.aborted) {
      this.#stop = new AbortController();
      this.#signal = this.#begun();
    }
    const { part } = this.repository.client;
    const last = this.#ahead.at(-1)?.at ?? this.#at;
    let next = (Math.floor(last / part) + 1) * part;
    for (; this.#ahead.length < partsAhead && next < this.size; next += part) {
      this.#ahead.push({ at: next, opened: this.#part(next).catch(() => undefined) });
    }
  }

  /** The signal of what is asked for from now on. */
  #begun(): AbortSignal {
    const { signal } = this.repository;
    return AbortSignal.any([this.#stop.signal, ...(signal === undefined ? [] : [signal])]);
  }

  async #part(at: number): Promise<OpenBlob | undefined> {
    const signal = this.#signal;
    const { part } = this.repository.client;
    const room = this.#rooms.pop() ?? new Uint8Array(part);
    const bytes = room.subarray(0, Math.min(part, this.size - at));
    const size = await this.repository.fillPart(this.blob.digest, at, bytes, signal);
    if (size !== undefined) return { size, isPart: true, stream: this.#arrived(room, bytes) };
    this.#rooms.push(room);
    return signal.aborted ? undefined : await openAt(this.repository, this.blob, at);
  }

  /** The bytes that came, as if they still did; then their room is free. */
  #arrived(room: Uint8Array, bytes: Uint8Array): Stream {
    let at = 0;
    let isOpen = true;
    return {
      read: (buffer) => {
        const now = bytes.subarray(at, at + buffer.length);
        buffer.set(now);
        at += now.length;
        return Promise.resolve(now.length);
      },
      close: () => {
        if (isOpen) this.#rooms.push(room);
        isOpen = false;
      },
    };
  }

  #short(): never {
    throw new RegistryError("reset", `The blob ${this.blob.digest} ended too early`, {
      isTransient: true,
    });
  }
}

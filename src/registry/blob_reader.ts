/**
 * Reads a blob as a file, once and in order, without storing it. Large blobs are requested in
 * parts: Deno 2.9 cannot slow down a TLS connection, so a response that is read slowly ends up in
 * memory.
 */
import type { ByteReader } from "../bundle/source.ts";
import type { Descriptor } from "./artifact.ts";
import { RemoteError } from "../net/failure.ts";
import type { Stream } from "../net/message.ts";
import type { OpenBlob, Repository } from "./repository.ts";

/** Parts requested ahead of the one being read. */
const partsAhead = 2;

/** Undefined if the registry does not have the blob. @throws RemoteError */
export async function openBlobReader(
  repository: Repository,
  blob: Descriptor,
): Promise<ByteReader | undefined> {
  const opened = await repository.retrying(() => openAt(repository, blob, 0));
  return opened && new BlobReader(repository, blob, opened);
}

/** A small blob is requested without a range, which an empty one does not support. */
function openAt(repository: Repository, { digest, size }: Descriptor, at: number) {
  const { part } = repository.client;
  const end = (Math.floor(at / part) + 1) * part;
  return repository.openBlob(digest, at, at === 0 && size <= part ? undefined : end);
}

class BlobReader implements ByteReader {
  #stream: Stream | undefined;
  /** Parts requested ahead; undefined if one did not arrive. */
  #ahead: { at: number; opened: Promise<OpenBlob | undefined> }[] = [];
  #at = 0;
  /** Aborts parts that nobody will read; combined with the caller's signal. */
  #stop = new AbortController();
  #signal: AbortSignal;
  readonly #buffers: Uint8Array[] = [];

  /** According to the registry; the digest is checked elsewhere. */
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

  /** At least one byte; a connection that ended early is replaced by one that continues there. */
  async #some(buffer: Uint8Array): Promise<number> {
    const length = await this.repository.retrying(async () => {
      try {
        const now = await this.#stream?.read(buffer) ?? 0;
        if (now > 0) return now;
        this.#stream?.close();
        this.#stream = await this.#follow();
        const first = await this.#stream.read(buffer);
        if (first > 0) return first;
        const what = `The blob ${this.blob.digest} ended too early`;
        throw new RemoteError("reset", what, {
          hint: "check the log of the registry and of any proxy in front of it",
          isTransient: true,
        });
      } catch (error) {
        this.close();
        throw error;
      }
    });
    this.#at += length;
    return length;
  }

  /** The part at the current position. */
  async #follow(): Promise<Stream> {
    const ahead = this.#ahead[0]?.at === this.#at ? await this.#ahead.shift()!.opened : undefined;
    if (ahead === undefined) this.close();
    const opened = ahead ?? await openAt(this.repository, this.blob, this.#at);
    if (opened?.size === this.size) {
      this.#askAhead();
      return opened.stream;
    }
    opened?.stream.close();
    throw new RemoteError("rejected", `The blob ${this.blob.digest} changed while it was read`, {
      hint: "try again later: the registry's storage is being cleaned or repaired",
    });
  }

  /** A part that does not arrive ahead is requested again when it is needed. */
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

  /** The signal for further requests. */
  #begun(): AbortSignal {
    const { signal } = this.repository;
    return AbortSignal.any([this.#stop.signal, signal].filter((one) => one !== undefined));
  }

  async #part(at: number): Promise<OpenBlob | undefined> {
    const signal = this.#signal;
    const { part } = this.repository.client;
    const buffer = this.#buffers.pop() ?? new Uint8Array(part);
    const bytes = buffer.subarray(0, Math.min(part, this.size - at));
    const size = await this.repository.fillPart(this.blob.digest, at, bytes, signal);
    if (size !== undefined) return { size, isPart: true, stream: this.#arrived(buffer, bytes) };
    this.#buffers.push(buffer);
    return signal.aborted ? undefined : await openAt(this.repository, this.blob, at);
  }

  /** A stream over the bytes that arrived; its buffer is free afterwards. */
  #arrived(whole: Uint8Array, bytes: Uint8Array): Stream {
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
        if (isOpen) this.#buffers.push(whole);
        isOpen = false;
      },
    };
  }
}

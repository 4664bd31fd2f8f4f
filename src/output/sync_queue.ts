/**
 * Syncs many files concurrently with the writer: a file system commits waiting syncs together,
 * while one after the other would each wait for a commit. A caller that awaits `ready` keeps the
 * queue short.
 */
import { ioError } from "../domain/io_errors.ts";
import { isUnsupportedSync } from "../domain/durable.ts";

/** Concurrent syncs. */
const maxRunning = 32;
/** Queue length at which `ready` starts to block. */
const maxWaiting = 1024;
const maxPendingBytes = 64 * 1024 * 1024;

export interface Unsynced {
  path: string;
  kind: "directory" | "file" | "part of a file";
  /** Bytes written since the file was last queued. */
  bytes: number;
}

export interface SyncQueueOptions {
  /** The file system is in memory: there is nothing to sync. */
  isVolatile?: boolean;
  /** Called after each sync. */
  onSynced?: (item: Unsynced) => void;
  /** Replaced in tests. */
  sync?: (item: Unsynced) => Promise<void>;
}

export class SyncQueue {
  readonly #options: Required<SyncQueueOptions>;
  readonly #waiting: Unsynced[] = [];
  /** Bytes of queued and running syncs. */
  #pendingBytes = 0;
  #running = 0;
  #failure: { error: unknown } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(options: SyncQueueOptions = {}) {
    this.#options = { sync: syncPath, onSynced: () => {}, isVolatile: false, ...options };
  }

  /** Queues a path whose data has been written. @throws the error of an earlier sync */
  add(item: Unsynced): void {
    const { isVolatile, onSynced } = this.#options;
    if (isVolatile) return onSynced(item);
    this.#refuseFailed();
    this.#waiting.push(item);
    this.#pendingBytes += item.bytes;
    this.#start();
  }

  /** Whether more may be written now; otherwise wait for `ready`. */
  get isReady(): boolean {
    return this.#failure === undefined && this.#waiting.length <= maxWaiting &&
      this.#pendingBytes <= maxPendingBytes;
  }

  /** Resolves when the queue is short enough. @throws StellaError io */
  async ready(): Promise<void> {
    while (!this.isReady) {
      this.#refuseFailed();
      await this.#wake.promise;
    }
  }

  /** Resolves when every queued path is on the disk. @throws StellaError io */
  async finish(): Promise<void> {
    while (this.#running > 0 && this.#failure === undefined) await this.#wake.promise;
    this.#refuseFailed();
  }

  #start(): void {
    while (this.#running < maxRunning) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      this.#running++;
      void this.#run(item);
    }
  }

  async #run(item: Unsynced): Promise<void> {
    try {
      await this.#options.sync(item);
      this.#options.onSynced(item);
    } catch (error) {
      this.#failure ??= { error };
      this.#waiting.length = 0;
    }
    this.#running--;
    this.#pendingBytes -= item.bytes;
    this.#start();
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #refuseFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/**
 * Reopens the path, because a million files cannot stay open; the kernel reports an earlier write
 * error at the next fsync through any handle.
 */
async function syncPath({ path, kind }: Unsynced): Promise<void> {
  const isDirectory = kind === "directory";
  let file: Deno.FsFile | undefined;
  try {
    file = Deno.openSync(path, isDirectory ? { read: true } : { write: true });
    await file.sync();
  } catch (error) {
    if (isDirectory && isUnsupportedSync(error)) return;
    throw ioError("Cannot sync", path, error);
  } finally {
    file?.close();
  }
}

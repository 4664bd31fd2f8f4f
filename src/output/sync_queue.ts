/**
 * Syncs of many files, beside the work that writes them: a file system commits those that wait
 * together at once, where one after the other waits for a commit each. What waits is bounded, so
 * that whoever heeds `ready` knows how far the disk has come.
 */
import { ioError } from "../domain/errors.ts";
import { isUnsupportedSync } from "../domain/durable.ts";

/** Syncs under way at once. */
const maxRunning = 32;
/** What may wait before `ready` holds up whoever writes. */
const maxWaiting = 1024;
const maxPendingBytes = 64 * 1024 * 1024;

export interface Unsynced {
  path: string;
  kind: "directory" | "file" | "part of a file";
  /** Bytes written to it since it was last queued. */
  bytes: number;
}

export interface SyncQueueOptions {
  /** The file system lies in memory: there is nothing to wait for. */
  isVolatile?: boolean;
  /** Told each sync that has ended. */
  onSynced?: (item: Unsynced) => void;
  /** For tests. */
  sync?: (item: Unsynced) => Promise<void>;
}

export class SyncQueue {
  readonly #sync: (item: Unsynced) => Promise<void>;
  readonly #onSynced: (item: Unsynced) => void;
  readonly #isVolatile: boolean;
  readonly #waiting: Unsynced[] = [];
  /** Of what waits and what runs. */
  #pendingBytes = 0;
  #running = 0;
  #failure: { error: unknown } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor({ sync = syncPath, onSynced = () => {}, isVolatile = false }: SyncQueueOptions = {}) {
    this.#isVolatile = isVolatile;
    this.#sync = sync;
    this.#onSynced = onSynced;
  }

  /**
   * Queues a path whose writes have been handed to the system.
   * @throws what an earlier sync threw
   */
  add(item: Unsynced): void {
    if (this.#isVolatile) return this.#onSynced(item);
    this.#refuseFailed();
    this.#waiting.push(item);
    this.#pendingBytes += item.bytes;
    this.#start();
  }

  /** Whether more should be written now; else `ready` says when. */
  get isReady(): boolean {
    return this.#failure === undefined && this.#waiting.length <= maxWaiting &&
      this.#pendingBytes <= maxPendingBytes;
  }

  /** Settles once little waits. @throws StellaError media */
  async ready(): Promise<void> {
    while (!this.isReady) {
      this.#refuseFailed();
      await this.#wake.promise;
    }
  }

  /**
   * Settles once nothing waits and nothing runs: all that was queued is on the disk.
   * @throws StellaError media
   */
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
      await this.#sync(item);
      this.#onSynced(item);
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
 * The path is opened again, because a million files cannot be held open: the system reports a write
 * that failed in the meantime to the next sync of the file, through whatever handle.
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

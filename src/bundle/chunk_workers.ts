/** The chunk pool on worker threads: scheduling and messages. */
import {
  type ChunkPool,
  chunkWork,
  type DeferredFiles,
  type OpenedChunk,
  type StoredChunk,
  type StreamingDigest,
} from "./chunk_pool.ts";
import { errorOf, type Failure, failureOf, StellaError } from "../domain/errors.ts";
import { digestFiles, type FileDigest } from "./file_digests.ts";
import type { Hash } from "node:crypto";
import { startSha256 } from "../domain/hash.ts";
import type { DeferredRegion } from "./input_file.ts";
import { PrivateFiles, type PrivatePlaces } from "./private_files.ts";

/** `file` numbers the digests in progress. */
type Task =
  | { op: "compress" | "digest"; bytes: Uint8Array; files: TaskFiles | undefined }
  | { op: "open"; bytes: Uint8Array; expected: { sha256: string; size: number } }
  | { op: "update"; file: number; bytes: Uint8Array }
  | { op: "finish"; file: number }
  | { op: "files"; root: string; paths: readonly string[]; max: number };

/** The worker gets the paths of private files and builds its own list. */
interface TaskFiles {
  regions: readonly DeferredRegion[];
  places: PrivatePlaces;
}

type Message = Task & { id: number };

interface Reply {
  id: number;
  result?: unknown;
  failure?: Failure;
}

/** The part of a Worker that the pool needs; the caller knows how to start one. */
export interface ChunkWorker {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

const workers = 2;

export interface PoolOptions {
  /** Starts a worker. */
  start: () => ChunkWorker;
  /** Whether workers have read permission. */
  mayRead?: boolean;
  /** Aborts all work with an error: a caller that awaits a worker cannot check the signal. */
  stop?: { signal: AbortSignal; error: () => Error };
}

/** Workers start with their first task: each costs 20 ms, and a plain archive needs one. */
export function workerPool({ start, mayRead = false, stop }: PoolOptions): ChunkPool {
  const handles = Array.from({ length: workers }, () => new WorkerHandle(start));
  const end = () => handles.forEach((handle) => handle.fail(stop!.error()));
  if (stop?.signal.aborted) end();
  stop?.signal.addEventListener("abort", end);
  let turn = 0;
  const next = () => handles[turn++ % handles.length]!;
  let files = 0;
  const store =
    (op: "compress" | "digest") => (bytes: Uint8Array, files: DeferredFiles | undefined) =>
      next().send<StoredChunk>({
        op,
        bytes,
        files: files && { regions: files.regions, places: files.privateFiles.places },
      });
  const digestFiles: ChunkPool["digestFiles"] = (root, paths, max) =>
    next().send<FileDigest[]>({ op: "files", root, paths, max });
  return {
    depth: workers + 1,
    compress: store("compress"),
    digest: store("digest"),
    open: (bytes, expected) => next().send<OpenedChunk>({ op: "open", bytes, expected }),
    digestFile: () => streamingDigest(leastBusy(handles), files++),
    ...(mayRead ? { digestFiles } : {}),
    close: () => {
      stop?.signal.removeEventListener("abort", end);
      handles.forEach((handle) => handle.close());
    },
  };
}

/** The one with the fewest digests: a volume and the large file in it are hashed in parallel. */
function leastBusy(handles: readonly WorkerHandle[]): WorkerHandle {
  return handles.reduce((best, handle) => handle.digests < best.digests ? handle : best);
}

function streamingDigest(handle: WorkerHandle, file: number): StreamingDigest {
  handle.digests++;
  // Starts loading while the first piece is read.
  handle.begin();
  // Replies come in order: the error of an update arrives before the digest that lacks it.
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const end = () => {
    handle.digests--;
    return handle.send<string>({ op: "finish", file });
  };
  return {
    update: (bytes) => {
      const back = handle.send<Uint8Array>({ op: "update", file, bytes });
      back.catch(failed.reject);
      return back;
    },
    finish: () => Promise.race([failed.promise, end()]),
    drop: () => void end().catch(() => {}),
  };
}

/** A worker and its tasks, also those queued before it has loaded. It replies in order. */
class WorkerHandle {
  #worker: ChunkWorker | undefined;
  readonly #open = new Map<number, PromiseWithResolvers<never>>();
  #waiting: (() => void)[] | undefined = [];
  /** Why no further task is accepted. */
  #reason: unknown;
  #id = 0;
  /** Number of digests in progress. */
  digests = 0;

  constructor(readonly start: () => ChunkWorker) {}

  /** Starts the worker unless it was started or has failed. */
  begin(): void {
    if (this.#worker !== undefined || this.#reason !== undefined) return;
    try {
      this.#worker = this.start();
    } catch (error) {
      return this.fail(error);
    }
    this.#worker.onmessage = ({ data }) => data === "ready" ? this.#ready() : this.#answered(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.fail(new StellaError("worker_crashed", `A worker ended: ${event.message}`));
    };
  }

  /** The buffer of a task is transferred. */
  send<T>(task: Task): Promise<T> {
    this.begin();
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    const id = this.#id++;
    const answer = Promise.withResolvers<never>();
    this.#open.set(id, answer);
    const transfer = "bytes" in task ? [task.bytes.buffer as ArrayBuffer] : [];
    const send = () => this.#worker!.postMessage({ ...task, id }, transfer);
    if (this.#waiting === undefined) send();
    else this.#waiting.push(send);
    return answer.promise as Promise<T>;
  }

  /** A worker that has not been started stays so. */
  close(): void {
    this.#reason ??= this.#worker === undefined ? new Error("The workers are gone") : undefined;
    this.#worker?.terminate();
  }

  /** Messages sent before the worker's module listens would be lost. */
  #ready(): void {
    this.#waiting?.forEach((send) => send());
    this.#waiting = undefined;
  }

  #answered({ id, result, failure }: Reply): void {
    const answer = this.#open.get(id);
    this.#open.delete(id);
    if (failure === undefined) answer?.resolve(result as never);
    // Whoever shows an error that is not ours adds what to do about it.
    else if (failure.reason === "defect") answer?.reject(new Error(failure.message));
    else answer?.reject(errorOf(failure));
  }

  /** Rejects all pending and future tasks. */
  fail(reason: unknown): void {
    this.#reason ??= reason;
    for (const answer of this.#open.values()) answer.reject(this.#reason);
    this.#open.clear();
    this.#waiting = [];
  }
}

/** Runs inside the worker: handles tasks until it is terminated. */
export function answerChunks(now: () => number): void {
  const port = globalThis as unknown as {
    onmessage: (event: MessageEvent<Message>) => void;
    postMessage(message: unknown, transfer?: Transferable[]): void;
  };
  const files = new Map<number, Hash>();
  port.onmessage = ({ data }) => {
    try {
      const result = answer(data, files, now);
      port.postMessage({ id: data.id, result }, buffersOf(result));
    } catch (error) {
      port.postMessage({ id: data.id, failure: failureOf(error) });
    }
  };
  port.postMessage("ready");
}

function answer(task: Message, files: Map<number, Hash>, now: () => number): unknown {
  if ("files" in task) {
    return chunkWork[task.op](task.bytes, deferredFiles(task.files, now));
  }
  if (task.op === "files") return digestFiles(task.root, task.paths, task.max);
  if (task.op === "open") return chunkWork.open(task.bytes, task.expected);
  const hash = files.get(task.file) ?? startSha256();
  files.set(task.file, hash);
  if (task.op === "finish") {
    files.delete(task.file);
    return hash.digest("hex");
  }
  hash.update(task.bytes);
  return task.bytes;
}

let privateFiles: PrivateFiles | undefined;

/** A pool serves one export, so the paths of the first task are those of all. */
function deferredFiles(files: TaskFiles | undefined, now: () => number) {
  if (files === undefined) return undefined;
  privateFiles ??= new PrivateFiles(files.places, now);
  return { regions: files.regions, privateFiles };
}

/** The buffers in a result, transferred instead of copied. */
function buffersOf(result: unknown): Transferable[] {
  const views = result instanceof Uint8Array ? [result] : Object.values(result as object);
  return views.flatMap((view) => view instanceof Uint8Array ? [view.buffer as ArrayBuffer] : []);
}

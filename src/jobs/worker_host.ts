/**
 * The outside of a worker: one worker for one job, so that what a job leaks, breaks or leaves open goes with it.
 * A worker that crashes, or says nothing for too long, fails its job and nothing else.
 */
import { StellaError } from "../errors.ts";
import { errorOf, type FromWorker, type ToWorker } from "./worker_protocol.ts";

export interface WorkerRun<Job, Event> {
  /** The module to start: the main module, which in a bundle is the bundle itself. */
  url: string;
  /** Plain data. */
  job: Job;
  onEvent(event: Event): void;
  /** Called for every message: the worker lives. */
  onPulse?(): void;
  signal: AbortSignal;
  /** Milliseconds without a message after which the worker counts as lost. */
  silence?: number;
  /** Milliseconds that a cancelled worker has to end by itself. */
  grace?: number;
}

/**
 * Runs one job in a new worker that calls `answerJob`.
 * @throws StellaError what the work threw; internal where the worker crashed or fell silent; interrupted after `signal`
 */
export async function runInWorker<Job, Event, Result>(
  run: WorkerRun<Job, Event>,
): Promise<Result> {
  run.signal.throwIfAborted();
  const worker = new Worker(run.url, { type: "module", name: "export" });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const lost = timer(run.silence ?? 300_000, () => reject(silent()));
  const over = timer(run.grace ?? 2_000, () => reject(interrupted()));
  const send = (message: ToWorker<Job>) => worker.postMessage(message);
  const cancel = () => {
    send({ kind: "cancel" });
    over.restart();
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker<Event, Result>>) => {
    lost.restart();
    run.onPulse?.();
    if (data.kind === "ready") send({ kind: "run", job: run.job });
    else if (data.kind === "event") run.onEvent(data.event);
    else if (data.kind === "done") resolve(data.result);
    else if (data.kind === "failed") reject(errorOf(data.failure));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(crashed(event.message));
  };
  run.signal.addEventListener("abort", cancel);
  lost.restart();
  try {
    return await promise;
  } finally {
    run.signal.removeEventListener("abort", cancel);
    lost.stop();
    over.stop();
    worker.terminate();
  }
}

function timer(milliseconds: number, act: () => void): { restart(): void; stop(): void } {
  let id: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(id);
  return {
    restart: () => {
      stop();
      id = setTimeout(act, milliseconds);
    },
    stop,
  };
}

function silent(): StellaError {
  return new StellaError("internal", "The export was lost: its worker fell silent", {
    hint: "look for a disk or a network share that does not answer, then ask for the export again",
  });
}

function interrupted(): StellaError {
  return new StellaError("interrupted", "The export was interrupted: the service stops");
}

function crashed(message: string): StellaError {
  return new StellaError("internal", `The export was lost: its worker crashed: ${message}`);
}

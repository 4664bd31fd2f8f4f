/** Runs each job in a worker of its own: leaks and crashes end with it and fail only this job. */
import { errorOf, StellaError } from "../domain/errors.ts";
import type { FromWorker, ToWorker } from "./worker_side.ts";

export interface WorkerRun<Job, Event> {
  /** The module to start: the main module; in a bundled program the bundle itself. */
  url: string;
  /** Plain data. */
  job: Job;
  onEvent(event: Event): void;
  /** Called for every message of the worker. */
  onHeartbeat?(): void;
  signal: AbortSignal;
  /** Default: those of this process, for which a worker that drops some drops them too. */
  permissions?: Deno.PermissionOptions;
  /** Milliseconds without a message after which the worker is lost. */
  silenceTimeout?: number;
  /** Milliseconds without an event after which a live worker is stuck; default: unlimited. */
  stallTimeout?: number;
  /** Milliseconds that a cancelled worker gets to end by itself. */
  gracePeriod?: number;
}

/**
 * Runs a job in a new worker that calls `answerJob`.
 * @throws StellaError the error of the work; defect if the worker crashed, was silent or stuck;
 * interrupted after `signal`
 */
export async function runInWorker<Job, Event, Result>(run: WorkerRun<Job, Event>): Promise<Result> {
  run.signal.throwIfAborted();
  const deno = { permissions: run.permissions ?? "inherit" };
  const worker = new Worker(run.url, { type: "module", name: "export", deno });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const lost = timer(
    run.silenceTimeout ?? 300_000,
    () => reject(lostError("its worker stopped responding")),
  );
  const stuck = timer(
    run.stallTimeout,
    () => reject(lostError("it made no progress for too long")),
  );
  const over = timer(run.gracePeriod ?? 2_000, () => reject(interrupted(run.signal)));
  const send = (message: ToWorker<Job>) => worker.postMessage(message);
  const cancel = () => {
    send({ kind: "cancel" });
    over.restart();
  };
  worker.onmessage = ({ data }: MessageEvent<FromWorker<Event, Result>>) => {
    lost.restart();
    run.onHeartbeat?.();
    if (data.kind === "ready") send({ kind: "run", job: run.job });
    else if (data.kind === "event") {
      stuck.restart();
      run.onEvent(data.event);
    } else if (data.kind === "done") resolve(data.result);
    else if (data.kind === "failed") reject(errorOf(data.failure));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    const found = `Cannot finish the export: its worker crashed: ${event.message}`;
    reject(new StellaError("worker_crashed", found));
  };
  run.signal.addEventListener("abort", cancel);
  lost.restart();
  stuck.restart();
  try {
    return await promise;
  } finally {
    run.signal.removeEventListener("abort", cancel);
    lost.stop();
    stuck.stop();
    over.stop();
    worker.terminate();
  }
}

function timer(milliseconds: number | undefined, act: () => void) {
  let id: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(id);
  return {
    restart: () => {
      stop();
      if (milliseconds !== undefined) id = setTimeout(act, milliseconds);
    },
    stop,
  };
}

/** Whether a retry may succeed: the worker hung on something external. */
export function isLost(error: unknown): boolean {
  return error instanceof StellaError && error.reason === "worker_lost";
}

function lostError(found: string): StellaError {
  return new StellaError("worker_lost", `Cannot finish the export: ${found}`, {
    hint: "check for a disk or a network share that does not respond",
  });
}

function interrupted({ reason }: AbortSignal): StellaError {
  return reason instanceof StellaError
    ? reason
    : new StellaError("interrupted", "Cannot finish the export: the service is shutting down");
}

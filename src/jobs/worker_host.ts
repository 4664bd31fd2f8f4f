/**
 * The outside of a worker: one worker for one job, so that what a job leaks, breaks or leaves open goes with it.
 * A worker that crashes, or says nothing for too long, fails its job and nothing else.
 */
import { StellaError } from "../domain/errors.ts";
import { errorOf, type FromWorker, type ToWorker } from "./worker_protocol.ts";

export interface WorkerRun<Job, Event> {
  /** The module to start: the main module, which in a bundle is the bundle itself. */
  url: string;
  /** Plain data. */
  job: Job;
  onEvent(event: Event): void;
  /** Called for every message: the worker lives. */
  onHeartbeat?(): void;
  signal: AbortSignal;
  /** What the worker may do; as much as this process where it is not given. Only here: what a worker gives up, all lose. */
  permissions?: Deno.PermissionOptions;
  /** Milliseconds without a message after which the worker counts as lost. */
  silenceTimeout?: number;
  /** Milliseconds without an event after which a worker that lives counts as stuck; for ever where it is not given. */
  stallTimeout?: number;
  /** Milliseconds that a cancelled worker has to end by itself. */
  gracePeriod?: number;
}

/**
 * Runs one job in a new worker that calls `answerJob`.
 * @throws StellaError what the work threw; internal where the worker crashed, fell silent or got stuck; interrupted after `signal`
 */
export async function runInWorker<Job, Event, Result>(
  run: WorkerRun<Job, Event>,
): Promise<Result> {
  run.signal.throwIfAborted();
  const deno = { permissions: run.permissions ?? "inherit" };
  const worker = new Worker(run.url, { type: "module", name: "export", deno });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const lost = timer(run.silenceTimeout ?? 300_000, () => reject(silent()));
  const stuck = timer(run.stallTimeout, () => reject(stalled()));
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
    reject(crashed(event.message));
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
      if (milliseconds === undefined) return;
      id = setTimeout(act, milliseconds);
    },
    stop,
  };
}

/** Whether it may go well another time: the worker hung on something outside of it. */
export function isLost(error: unknown): boolean {
  return error instanceof StellaError && error.findings.some(({ reason }) => reason === lostReason);
}

const lostReason = "worker_lost";

function lostError(found: string): StellaError {
  return new StellaError("internal", `The export was lost: ${found}`, {
    hint: "look for a disk or a network share that does not answer",
    findings: [{ code: "internal", reason: lostReason }],
  });
}

function silent(): StellaError {
  return lostError("its worker fell silent");
}

function stalled(): StellaError {
  return lostError("it made no progress for too long");
}

function interrupted({ reason }: AbortSignal): StellaError {
  return reason instanceof StellaError
    ? reason
    : new StellaError("interrupted", "The export was interrupted: the service stops");
}

function crashed(message: string): StellaError {
  return new StellaError("internal", `The export was lost: its worker crashed: ${message}`);
}

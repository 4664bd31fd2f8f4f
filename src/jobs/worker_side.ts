/** The worker's side: runs one job. Small, because every job loads it again. */
import { type Failure, failureOf, StellaError } from "../domain/errors.ts";

/** Messages to a worker and from it: plain data only. */
export type ToWorker<Job> = { kind: "run"; job: Job } | { kind: "cancel" };

export type FromWorker<Event, Result> =
  /** The worker listens: earlier messages would be lost while its module loads. */
  | { kind: "ready" }
  /** Heartbeat, sent every few seconds while a job runs. */
  | { kind: "alive" }
  | { kind: "event"; event: Event }
  | { kind: "done"; result: Result }
  | { kind: "failed"; failure: Failure };

/** Milliseconds between heartbeats. */
const heartbeatInterval = 5_000;

/** The worker's global object; the program is type-checked as window code. */
interface Port<Job, Event, Result> {
  postMessage(message: FromWorker<Event, Result>): void;
  addEventListener(type: "message", listener: (event: { data: ToWorker<Job> }) => void): void;
}

/** Handles the one `run` message of `runInWorker` with `work`; `cancel` aborts its signal. */
export function answerJob<Job, Event, Result>(
  work: (job: Job, emit: (event: Event) => void, signal: AbortSignal) => Promise<Result>,
): void {
  const port = globalThis as unknown as Port<Job, Event, Result>;
  const cancel = new AbortController();
  const fail = (thrown: unknown) =>
    port.postMessage({ kind: "failed", failure: failureOf(thrown) });
  // Unhandled errors would print a stack trace between the lines of the log.
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.error);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    fail(event.reason);
  });
  port.addEventListener("message", ({ data }) => {
    if (data.kind === "cancel") {
      return cancel.abort(
        new StellaError("interrupted", "Cannot finish the export: it was stopped"),
      );
    }
    const alive = setInterval(() => port.postMessage({ kind: "alive" }), heartbeatInterval);
    work(data.job, (event) => port.postMessage({ kind: "event", event }), cancel.signal)
      .then((result) => port.postMessage({ kind: "done", result }), fail)
      .finally(() => clearInterval(alive));
  });
  port.postMessage({ kind: "ready" });
}

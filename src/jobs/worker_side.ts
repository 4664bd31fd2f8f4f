/** The inside of a worker: takes one job, does it, says how it ended. Small, because every job loads it anew. */
import { StellaError } from "../domain/errors.ts";
import { failureOf, type FromWorker, type ToWorker } from "./worker_protocol.ts";

/** Milliseconds between two signs of life. */
const heartbeatInterval = 5_000;

/** What a worker's global object offers; the rest of the program is checked as window code. */
interface Port<Job, Event, Result> {
  postMessage(message: FromWorker<Event, Result>): void;
  addEventListener(type: "message", listener: (event: { data: ToWorker<Job> }) => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(
    type: "unhandledrejection",
    listener: (event: PromiseRejectionEvent) => void,
  ): void;
}

/** Whether this code runs in a worker; `import.meta.main` is true there as well, so it cannot tell. */
export function isWorker(): boolean {
  return "WorkerGlobalScope" in globalThis;
}

/** Answers the one `run` message of `runInWorker` with `work`; `cancel` aborts the signal that `work` gets. */
export function answerJob<Job, Event, Result>(
  work: (job: Job, emit: (event: Event) => void, signal: AbortSignal) => Promise<Result>,
): void {
  const port = globalThis as unknown as Port<Job, Event, Result>;
  const cancel = new AbortController();
  const fail = (thrown: unknown) =>
    port.postMessage({ kind: "failed", failure: failureOf(thrown) });
  // Left alone, these would print a stack trace between the lines of the log.
  port.addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.error);
  });
  port.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    fail(event.reason);
  });
  port.addEventListener("message", ({ data }) => {
    if (data.kind === "cancel") {
      return cancel.abort(new StellaError("interrupted", "The export was stopped"));
    }
    const alive = setInterval(() => port.postMessage({ kind: "alive" }), heartbeatInterval);
    work(data.job, (event) => port.postMessage({ kind: "event", event }), cancel.signal)
      .then((result) => port.postMessage({ kind: "done", result }), fail)
      .finally(() => clearInterval(alive));
  });
  port.postMessage({ kind: "ready" });
}

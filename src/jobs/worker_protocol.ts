/** Messages between a worker and its host: plain data only. */
import type { Failure } from "../domain/errors.ts";

export type ToWorker<Job> = { kind: "run"; job: Job } | { kind: "cancel" };

export type FromWorker<Event, Result> =
  /** The worker listens: earlier messages would be lost while its module loads. */
  | { kind: "ready" }
  /** Heartbeat, sent every few seconds while a job runs. */
  | { kind: "alive" }
  | { kind: "event"; event: Event }
  | { kind: "done"; result: Result }
  | { kind: "failed"; failure: Failure };

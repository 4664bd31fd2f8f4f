/** Messages between a worker and its host: plain data only. */
import { type ErrorDetails, messageOf, type Reason, StellaError } from "../domain/errors.ts";

export type ToWorker<Job> = { kind: "run"; job: Job } | { kind: "cancel" };

export type FromWorker<Event, Result> =
  /**
   * The worker listens: earlier messages would be lost, because its module loads the program first.
   */
  | { kind: "ready" }
  /** Heartbeat, sent every few seconds while a job runs. */
  | { kind: "alive" }
  | { kind: "event"; event: Event }
  | { kind: "done"; result: Result }
  | { kind: "failed"; failure: Failure };

export interface Failure {
  reason: Reason;
  message: string;
  details: Pick<ErrorDetails, "kind" | "hint" | "findings">;
}

/** An error without its class, which messages do not preserve. */
export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof StellaError)) {
    return { reason: "defect", message: messageOf(thrown), details: {} };
  }
  const { reason, message, kind, hint, findings } = thrown;
  return { reason, message, details: { kind, hint, findings } };
}

export function errorOf({ reason, message, details }: Failure): StellaError {
  return new StellaError(reason, message, details);
}

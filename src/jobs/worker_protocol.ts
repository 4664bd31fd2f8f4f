/** Messages between a worker and its host: plain data only. */
import { type ErrorCode, type Finding, messageOf, StellaError } from "../domain/errors.ts";

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
  code: ErrorCode;
  message: string;
  hint?: string;
  findings: readonly Finding[];
}

/** An error without its class, which messages do not preserve. */
export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof StellaError)) {
    return { code: "internal", message: messageOf(thrown), findings: [] };
  }
  const { code, message, hint, findings } = thrown;
  return { code, message, findings, ...(hint === undefined ? {} : { hint }) };
}

export function errorOf(failure: Failure): StellaError {
  const { code, message, ...rest } = failure;
  return new StellaError(code, message, rest);
}

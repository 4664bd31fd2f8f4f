/** Responses of a service, and errors for its refusals. Callers escape the text. */
import { isObject } from "../domain/json.ts";
import {
  type ErrorDetails,
  type ErrorKind,
  kindNamed,
  kindOf,
  type Reason,
  reasonNamed,
  reasonOfStatus,
  StellaError,
} from "../domain/errors.ts";
import { shown } from "../domain/names.ts";

export interface Answer {
  url: string;
  status: number;
  text: string;
  /** Seconds after which to try again. */
  retryAfter?: number;
  /** Whether the request had a token. */
  hasToken?: boolean;
}

/** An unsuccessful response. Without a status there was none. */
export class ServiceError extends StellaError {
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(
    reason: Reason,
    message: string,
    more: ErrorDetails & Partial<Pick<Answer, "status" | "retryAfter">>,
  ) {
    super(reason, message, more);
    this.status = more.status;
    this.retryAfter = more.retryAfter;
  }

  /**
   * Whether the same question may be answered a little later: a service that starts anew, or has
   * too much to do.
   */
  get passes(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }
}

/** The body as an object; empty if it is not one. */
export function objectOf({ text }: Pick<Answer, "text">): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/**
 * A refusal of the service (RFC 9457) as the error of a command; `hint` where there is no better
 * one.
 */
export function refusalOf(answer: Answer, hint?: string): ServiceError {
  const { url, status, retryAfter } = answer;
  const { detail, errors, hint: given, code, reason } = objectOf(answer);
  const faults = Array.isArray(errors)
    ? errors.map((one) => `${one?.path} ${one?.message}`).slice(0, 20)
    : [];
  const words = [detail ?? "no reason", ...faults].join("; ");
  const pause = retryAfter === undefined ? "" : ` (to be asked again in ${retryAfter} s)`;
  const isUnknown = status === 401 && answer.hasToken === true;
  const next = (isUnknown ? unknownToken : tokenHints[status]) ??
    (typeof given === "string" ? given : hint);
  return new ServiceError(
    reasonNamed(reason) ?? reasonOfStatus(status),
    `${shown(url)} answers ${status}: ${words}${pause}`,
    {
      status,
      hint: next,
      kind: kindFor(status, code),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    },
  );
}

/**
 * What the service itself says, where that is no fault of its own and tells more than the status.
 */
function kindFor(status: number, said: unknown): ErrorKind {
  const kind = kindNamed(said);
  const isOwn = kind === undefined || ["config", "defect", "interrupted", "usage"].includes(kind);
  return isOwn ? kindOf(reasonOfStatus(status)) : kind;
}

const unknownToken = "the service does not know the token that was sent: check its file, and " +
  "that its sha256 stands below tokens in the configuration of the service";

const tokenHints: Record<number, string> = {
  401: "give a token with --token-file",
  403: "give one with that scope with --token-file",
};

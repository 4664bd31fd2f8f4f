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
  retryAfter?: number | undefined;
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
    more: ErrorDetails & Partial<Pick<Answer, "status" | "retryAfter">> = {},
  ) {
    super(reason, message, more);
    this.status = more.status;
    this.retryAfter = more.retryAfter;
  }

  /** Whether to ask again later: a service that restarts, or has too much to do. */
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

/** Something else than a service of stella has answered. @param what the answer should be */
export function notAService(url: string, what: string): ServiceError {
  return new ServiceError("not_a_service", `${shown(url)} does not respond with ${what}`, {
    hint: "name a stella service with --server",
  });
}

/**
 * A refusal of the service (RFC 9457) as an error.
 * @param hint for a refusal of the request itself (400, 404) without a hint
 */
export function refusalOf(answer: Answer, hint?: string): ServiceError {
  const { url, status, retryAfter, hasToken } = answer;
  const { detail, errors, hint: given, code, reason } = objectOf(answer);
  const faults = Array.isArray(errors)
    ? errors.map((one) => `${one?.path} ${one?.message}`).slice(0, 20)
    : [];
  const words = [detail ?? "no reason", ...faults].join("; ");
  const pause = retryAfter === undefined ? "" : `; try again in ${retryAfter} s`;
  const tokenHint = status === 401 && hasToken ? unknownToken : tokenHints[status];
  const own = status === 400 || status === 404 ? hint : undefined;
  return new ServiceError(
    reasonNamed(reason) ?? reasonOfStatus(status),
    `Cannot request ${shown(url)} (status ${status}): ${words}${pause}`,
    {
      status,
      retryAfter,
      kind: kindFor(status, code),
      hint: tokenHint ?? (typeof given === "string" ? given : own),
    },
  );
}

/** The kind that the service names, unless that is a fault of its own or of its caller there. */
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

/**
 * Failures of requests, classified as in the metric `export_registry_push_total`. All text from
 * outside is escaped and cut here, and URLs lose their query: an upload URL carries the state of
 * its session.
 */
import { STATUS_CODES } from "node:http";
import { escaped } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { isObject, objectIn } from "../domain/json.ts";
import type { PushResult } from "../domain/labels.ts";
import type { Answer, Login, Outgoing } from "./message.ts";

/** `auth` concerns identity on either side: our credentials or the other's certificate. */
export type RemoteReason = Exclude<PushResult, "success">;

export class RemoteError extends StellaError {
  declare readonly reason: RemoteReason;
  /** The HTTP status, if there was a response. */
  readonly status: number | undefined;
  /** Whether the same request may succeed a little later. */
  readonly isTransient: boolean;
  /** Milliseconds that the other side asks us to wait. */
  readonly retryAfter: number | undefined;

  constructor(reason: RemoteReason, message: string, more: RemoteFacts = {}) {
    super(reason, message, { kind: "remote", cause: more.cause, hint: more.hint });
    this.status = more.status;
    this.isTransient = more.isTransient ?? false;
    this.retryAfter = more.retryAfter;
  }
}

export interface RemoteFacts {
  status?: number | undefined;
  isTransient?: boolean;
  retryAfter?: number | undefined;
  hint?: string | undefined;
  cause?: unknown;
}

/** The label of a push that failed: a local file that differs counts as digest_mismatch. */
export function pushResult(thrown: unknown): RemoteReason {
  if (thrown instanceof RemoteError) return thrown.reason;
  const isDiffering = thrown instanceof StellaError && thrown.kind === "differs";
  return isDiffering ? "digest_mismatch" : "rejected";
}

/**
 * `PUT https://host/v2/x/manifests/y: 400 MANIFEST_INVALID: text` (distribution-spec, Error Codes),
 * or `: 413 Payload Too Large`.
 */
export function refused(asked: Outgoing, answer: Answer, facts: RemoteFacts = {}): RemoteError {
  const { status, login, from } = answer;
  const errors = errorsIn(answer.body);
  const detail = shortened(errors.map(textOf).filter(Boolean).join("; "));
  const said = detail || (STATUS_CODES[status] ?? "");
  const more = login === "unasked"
    ? ", and did not ask for the given credentials"
    : from === undefined
    ? ""
    : `, from ${from}, to which it redirects`;
  const text = `${target(asked)}: ${status}${said && ` ${said}`}${more}`;
  return new RemoteError(reasonOf(status, errors), text, {
    status,
    isTransient: isTransientStatus(status),
    retryAfter: retryAfter(answer),
    hint: hintOf(answer),
    ...facts,
  });
}

/** The error for an aborted signal: after a time limit a timeout, otherwise an interruption. */
export function stopped(signal: AbortSignal): StellaError {
  const { reason } = signal;
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new RemoteError("timeout", "The request timed out", { hint: "try again later" })
    : new StellaError("interrupted", "The request was interrupted");
}

/**
 * Adds to a failure of the other side what it prevented: `Cannot read from "oci://...": GET ...`.
 * @throws the error of `action`, with `what` before its message if it is a RemoteError
 */
export async function explained<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    const { reason, status, isTransient, retryAfter, hint } = error;
    const facts = { status, isTransient, retryAfter, hint, cause: error };
    throw new RemoteError(reason, `${what}: ${error.message}`, facts);
  }
}

/** `METHOD URL` without the query. */
export function target({ method, url }: Outgoing): string {
  return `${method} ${escaped(url.origin + url.pathname)}`;
}

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 ||
    (status >= 500 && status !== 501 && status !== 505);
}

function reasonOf(status: number, errors: readonly OciError[]): RemoteReason {
  if (status === 401 || status === 403) return "auth";
  if (status === 408) return "timeout";
  if (status >= 500) return "server_error";
  return errors.some(({ code }) => code === "DIGEST_INVALID") ? "digest_mismatch" : "rejected";
}

const loginHints: Record<Login, string> = {
  none: "log in: --credentials FILE, credentialsFile in the configuration, or docker login",
  refused: "check the credentials, and that they may use this repository",
  unasked:
    "check the registry's address; it, or a proxy in front of it, must offer Basic or Bearer in " +
    "WWW-Authenticate",
  token_only: "log in with user and password: the registry does not accept identity tokens",
};

function hintOf({ status, login, from }: Answer): string | undefined {
  if (from !== undefined) return `see the log of ${from}, the storage of the registry`;
  if (status >= 300 && status < 400) {
    return "name the registry itself: redirects of uploads are not followed";
  }
  if (status === 401) return loginHints[login ?? "refused"];
  return status === 403 ? "ask for access to this repository, or use other credentials" : undefined;
}

/** An entry of `errors`, whose fields may be anything (distribution-spec, Error Codes). */
interface OciError {
  code?: unknown;
  message?: unknown;
}

/** The first errors in a body; none if it is something else, such as a proxy's page. */
function errorsIn(body: Uint8Array): OciError[] {
  const errors = objectIn(body)?.["errors"];
  return Array.isArray(errors) ? errors.slice(0, 5).filter((one) => isObject(one)) : [];
}

function textOf({ code, message }: OciError): string {
  return [code, message].filter((part) => typeof part === "string" && part !== "").join(": ");
}

/** Text from a registry, escaped and cut. */
export function shortened(text: string): string {
  return escaped(text.length > 400 ? `${text.slice(0, 397)}...` : text);
}

/**
 * Milliseconds; RFC 9110 section 10.2.3: seconds, or a date. The date is compared with the
 * registry's own clock, because behind an air gap two clocks often differ.
 */
function retryAfter({ header }: Answer): number | undefined {
  const value = header("retry-after");
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse accepts nearly everything; an HTTP date ends in GMT.
  if (!value.endsWith(" GMT")) return undefined;
  const wait = Date.parse(value) - Date.parse(header("date") ?? "");
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

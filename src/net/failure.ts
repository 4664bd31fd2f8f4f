/**
 * Failures of registry requests, classified as in the metric `export_registry_push_total`. All text
 * from a registry is escaped and cut here, and URLs lose their query: an upload URL carries the
 * state of its session.
 */
import { STATUS_CODES } from "node:http";
import { escaped } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { isObject } from "../domain/json.ts";
import type { PushResult } from "../domain/labels.ts";
import type { Answer, Login, Outgoing } from "./message.ts";

/** `auth` concerns identity on either side: our credentials or the registry's certificate. */
export type RegistryReason = Exclude<PushResult, "success">;

export class RegistryError extends StellaError {
  declare readonly reason: RegistryReason;
  /** The HTTP status, if there was a response. */
  readonly status: number | undefined;
  /** Whether the same request may succeed a little later. */
  readonly isTransient: boolean;
  /** Milliseconds that the registry asks us to wait. */
  readonly retryAfter: number | undefined;

  constructor(reason: RegistryReason, message: string, more: RegistryFacts = {}) {
    super(reason, message, { kind: "remote", cause: more.cause, hint: more.hint });
    this.status = more.status;
    this.isTransient = more.isTransient ?? false;
    this.retryAfter = more.retryAfter;
  }
}

export interface RegistryFacts {
  status?: number;
  isTransient?: boolean;
  retryAfter?: number;
  hint?: string;
  cause?: unknown;
}

/**
 * The label of a push that failed with `thrown`. A local file that differs from its manifest counts
 * as digest_mismatch.
 */
export function pushResult(thrown: unknown): RegistryReason {
  if (thrown instanceof RegistryError) return thrown.reason;
  return thrown instanceof StellaError && thrown.kind === "differs"
    ? "digest_mismatch"
    : "rejected";
}

/**
 * `PUT https://host/v2/x/manifests/y: 400 MANIFEST_INVALID: text` (distribution-spec, Error Codes),
 * or `: 413 Payload Too Large`.
 */
export function refused(
  { method, url }: Outgoing,
  answer: Answer,
  facts: RegistryFacts = {},
): RegistryError {
  const { status, login, from } = answer;
  const detail = errorText(answer.body);
  const wait = retryAfter(answer);
  const said = detail || (STATUS_CODES[status] ?? "");
  const more = login === "unasked"
    ? ", and did not ask for the given credentials"
    : from === undefined
    ? ""
    : `, from ${from}, to which it redirects`;
  return new RegistryError(
    reasonOf(status, detail),
    `${target(method, url)}: ${status}${said && ` ${said}`}${more}`,
    {
      status,
      isTransient: isTransientStatus(status),
      ...(wait === undefined ? {} : { retryAfter: wait }),
      ...hintOf(answer),
      ...facts,
    },
  );
}

/**
 * The error for an aborted signal: a caller's time limit is a timeout, everything else an
 * interruption.
 */
export function stopped(signal: AbortSignal): StellaError {
  const { reason } = signal;
  return reason instanceof Error && reason.name === "TimeoutError"
    ? new RegistryError("timeout", "The request timed out")
    : new StellaError("interrupted", "The registry request was interrupted");
}

/** `METHOD URL` without the query. */
export function target(method: string, url: URL): string {
  return `${method} ${escaped(url.origin + url.pathname)}`;
}

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 ||
    (status >= 500 && status !== 501 && status !== 505);
}

function reasonOf(status: number, detail: string): RegistryReason {
  if (status === 401 || status === 403) return "auth";
  if (status === 408) return "timeout";
  if (status >= 500) return "server_error";
  return detail.startsWith("DIGEST_INVALID") ? "digest_mismatch" : "rejected";
}

const loginHints: Record<Login, string> = {
  none: "log in: --credentials FILE, credentialsFile in the configuration, or docker login",
  refused: "check the credentials, and that they may use this repository",
  unasked:
    "check the registry's address; it, or a proxy before it, must ask for Basic or Bearer in " +
    "WWW-Authenticate",
  token_only: "log in with user and password: the registry takes no identity token",
};

function hintOf({ status, login, from }: Answer): { hint?: string } {
  if (from !== undefined) return { hint: `see the log of ${from}, the storage of the registry` };
  if (status >= 300 && status < 400) {
    return { hint: "name the registry itself: redirects of uploads are not followed" };
  }
  if (status === 401) return { hint: loginHints[login ?? "refused"] };
  if (status === 403) {
    return { hint: "ask for access to this repository, or use other credentials" };
  }
  return {};
}

/** `CODE: message` of each error, or empty: the body may be anything, such as a proxy's page. */
function errorText(body: Uint8Array): string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return "";
  }
  const errors = isObject(value) ? value["errors"] : undefined;
  if (!Array.isArray(errors)) return "";
  return shortened(errors.slice(0, 5).map(oneError).filter(Boolean).join("; "));
}

function oneError(error: unknown): string {
  const { code, message } = isObject(error) ? error : {};
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

/** Refusals as problem documents. Source: RFC 9457. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import {
  errnoOf,
  type ErrorCode,
  isOutOfSpace,
  statusCodes,
  StellaError,
} from "../domain/errors.ts";
import type { OpsDeps } from "./deps.ts";
import { withoutPaths } from "./without_paths.ts";

export interface Problem {
  status: ContentfulStatusCode;
  /** What happened, in one sentence. */
  detail: string;
  /** A code of errors.ts; default: that of the status. */
  code?: ErrorCode;
  hint?: string;
  /** All faults of the request; `path` is a position in the body, or a header or parameter name. */
  errors?: { path: string; message: string }[];
}

const titles: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

/** `type` is about:blank: the status says it all, and a URL would have to be served. */
export function problem(
  c: Context,
  { status, detail, code = statusCodes[status] ?? "usage", ...rest }: Problem,
) {
  const { hint, ...others } = rest;
  const body = {
    type: "about:blank",
    title: titles[status],
    status,
    detail: withoutPaths(detail),
    code,
    ...others,
    ...(hint === undefined ? {} : { hint: withoutPaths(hint) }),
  };
  return c.body(JSON.stringify(body), status, { "content-type": "application/problem+json" });
}

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  conflict: 409,
  busy: 503,
  policy: 403,
  not_found: 404,
};

/**
 * `usage` is 400, except for a reused idempotency key
 * (draft-ietf-httpapi-idempotency-key-header-07) and for faults of files. A full queue is 429,
 * other busy states are 503.
 */
function statusOf(error: StellaError): ContentfulStatusCode {
  const has = (reason: string) => error.findings.some((one) => one.reason === reason);
  if (has("queue_full")) return 429;
  if (isOutOfSpace(error)) return 507;
  if (isOfFile(error)) return 500;
  if (error.code in statuses) return statuses[error.code]!;
  if (error.code === "interrupted") return 503;
  if (error.code !== "usage") return 500;
  return has("idempotency_key_reused") ? 422 : 400;
}

/**
 * Callers do not name files of the service: a fault of one is not theirs, and its path only belongs
 * in the log.
 */
function isOfFile({ code, cause }: StellaError): boolean {
  return code === "media" || /^E[A-Z0-9]+$/.test(errnoOf(cause));
}

/** Seconds after which a full queue may have room, or a transient fault may be over. */
const pauses: Partial<Record<ContentfulStatusCode, number>> = { 429: 30, 503: 5 };

/**
 * A thrown error as a problem. Errors that are not the caller's fault are also passed to `onFault`,
 * and only there with their text.
 */
export function problemOf(
  c: Context,
  error: Error,
  { onFault, onRefused }: Pick<OpsDeps, "onFault" | "onRefused">,
) {
  if (isAborted(error)) return problem(c, { status: 400, detail: "The request ended too early" });
  const known = error instanceof StellaError;
  const status = known ? statusOf(error) : 500;
  if (status >= 500) onFault(error);
  if (status === 429) onRefused("queue_full");
  if (status in pauses) c.header("retry-after", String(pauses[status]));
  if (status === 507) {
    return problem(c, { status, code: "media", detail: "No space is left on the service's disk" });
  }
  if (!known || isOfFile(error)) {
    return problem(c, { status, code: "internal", detail: "See the service's log" });
  }
  const { code, message, hint } = error;
  return problem(c, { status, code, detail: message, ...(hint === undefined ? {} : { hint }) });
}

/** The client disconnected while its body was read; nobody reads this response. */
function isAborted(error: Error): boolean {
  return error.message === "aborted" || (error as { code?: string }).code === "ECONNRESET";
}

/** Refusals as problem documents. Source: RFC 9457. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import {
  type ErrorKind,
  type HttpStatus,
  kindOf,
  type Reason,
  statusOf,
  StellaError,
} from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import type { OpsDeps } from "./deps.ts";
import { withoutPaths } from "./without_paths.ts";

export interface Problem {
  /** Status and code follow from it. */
  reason: Reason;
  /** Where it is not the one of the reason. */
  kind?: ErrorKind;
  /** What happened, in one sentence. */
  detail: string;
  hint?: string | undefined;
  /** All faults of the request; `path` is a position in the body, or a header or parameter name. */
  errors?: { path: string; message: string }[];
}

const titles: Record<HttpStatus, string> = {
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
  502: "Bad Gateway",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

/** `type` is about:blank: the status says it all, and a URL would have to be served. */
export function problem(c: Context, told: Problem) {
  const { reason, kind = kindOf(reason), detail, hint, ...others } = told;
  const status = statusOf(reason, kind);
  const body = {
    type: "about:blank",
    title: titles[status],
    status,
    detail: withoutPaths(detail),
    code: kind,
    reason,
    ...others,
    ...(hint === undefined ? {} : { hint: withoutPaths(hint) }),
  };
  return c.body(JSON.stringify(body), status, { "content-type": "application/problem+json" });
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
  if (isAborted(error)) {
    return problem(c, { reason: "request_invalid", detail: "The request ended early" });
  }
  const told = toldOf(error);
  const status = statusOf(told.reason, told.kind);
  if (status >= 500) onFault(error);
  if (told.reason === "queue_full") onRefused("queue_full");
  if (status in pauses) c.header("retry-after", String(pauses[status]));
  return problem(c, told);
}

/**
 * Callers do not name files of the service: a fault of one is not theirs, and its path only belongs
 * in the log.
 */
function toldOf(error: Error): Problem {
  const { reason, kind, message: detail, hint } = error instanceof StellaError ? error : defect;
  if (reason === "no_space") return { reason, detail: "No space is left on the service's disk" };
  const isOurs = ownKinds.has(kind) || reason === "output_exists";
  return isOurs
    ? { reason: "defect", detail: "See the service's log" }
    : { reason, kind, detail, hint };
}

const defect = new StellaError("defect", "");
const ownKinds: ReadonlySet<ErrorKind> = new Set(["config", "defect", "io"]);

/** The client disconnected while its body was read; nobody reads this response. */
function isAborted(error: Error): boolean {
  return error.message === "aborted" || errnoOf(error) === "ECONNRESET";
}

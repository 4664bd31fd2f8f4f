/** Refusals as problem documents. Source: RFC 9457. */
import { STATUS_CODES } from "node:http";
import type { Context } from "hono";
import { type ErrorKind, kindOf, type Reason, statusOf, StellaError } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import type { OpsDeps } from "./deps.ts";
import { withoutPaths } from "./without_paths.ts";

interface ProblemDetails {
  /** Where it is not the one of the reason. */
  kind?: ErrorKind;
  hint?: string | undefined;
  /** All faults of the request; `path` is a position in the body, or a header or parameter name. */
  errors?: { path: string; message: string }[];
}

/** Two phrases of node:http are older than RFC 9110. */
const titles: Readonly<Record<number, string | undefined>> = {
  ...STATUS_CODES,
  413: "Content Too Large",
  422: "Unprocessable Content",
};

/** Status and code follow from the reason. `type` is about:blank: a URL would have to be served. */
export function problem(
  c: Context,
  reason: Reason,
  detail: string,
  { kind = kindOf(reason), hint, errors }: ProblemDetails = {},
) {
  const status = statusOf(reason, kind);
  const body = {
    type: "about:blank",
    title: titles[status],
    status,
    detail: withoutPaths(detail),
    code: kind,
    reason,
    errors,
    hint: hint === undefined ? undefined : withoutPaths(hint),
  };
  return c.body(JSON.stringify(body), status, { "content-type": "application/problem+json" });
}

/** Seconds after which a full queue may have room, or a transient fault may be over. */
const pauses: Readonly<Record<number, number>> = { 429: 30, 503: 5 };

/**
 * A thrown error as a problem. If the caller is not at fault, only `onFault` gets its text: paths
 * of the service belong in the log alone.
 */
export function problemOf(
  c: Context,
  error: Error,
  { onFault, onRefused }: Pick<OpsDeps, "onFault" | "onRefused">,
) {
  // The client disconnected while its body was read; nobody reads this response.
  if (errnoOf(error) === "ECONNRESET") {
    return problem(c, "request_invalid", "The request ended early");
  }
  const { reason, kind, message, hint } = error instanceof StellaError ? error : defect;
  const status = statusOf(reason, kind);
  if (status >= 500 || reason === "output_exists") onFault(error);
  if (reason === "queue_full") onRefused("queue_full");
  if (status in pauses) c.header("retry-after", String(pauses[status]));
  if (reason === "no_space") return problem(c, reason, "No space is left on the service's disk");
  if (reason === "output_exists") return problem(c, "path_unusable", seeLog);
  if (ownKinds.has(kind)) return problem(c, reason, seeLog, { kind });
  return problem(c, reason, message, { kind, hint });
}

const seeLog = "See the service's log";
const defect = new StellaError("defect", "");
/** Kinds of faults that are the service's own, whatever the request was. */
const ownKinds: ReadonlySet<ErrorKind> = new Set(["config", "defect", "io"]);

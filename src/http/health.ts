/**
 * `/health/liveness` and `/health/readiness`. Programs read the status code, people use `?verbose`.
 * The JSON follows draft-inadarei-api-health-check-06, which never became an RFC. Local callers see
 * results with paths and addresses, callers with a token without paths, others only the statuses.
 */
import type { Context } from "hono";
import type { App, AppEnvironment, OpsDeps } from "./deps.ts";
import type { CheckState, Status } from "./readiness.ts";
import { withoutPaths } from "./without_paths.ts";

interface Health {
  status: Status;
  output?: string;
  checks?: readonly Shown[];
}

/** `time` is not for everybody either. */
type Shown = Omit<CheckState, "time"> & Partial<Pick<CheckState, "time">>;

export type Detail = "all" | "without paths" | "none";

export function addHealth(
  app: App,
  { liveness, readiness }: OpsDeps,
  detailFor: (c: Context<AppEnvironment>) => Detail,
): void {
  const shown = (c: Context<AppEnvironment>, all: Health) => {
    const detail = detailFor(c);
    return detail === "all" ? all : detail === "none" ? bare(all) : pathless(all);
  };
  app.get("/health/liveness", (c) => {
    const alive = liveness.report();
    if (!isVerbose(c)) return answer(c, shown(c, alive));
    // The last readiness results are included but do not change the status code.
    return verbose(c, "liveness", shown(c, { ...alive, checks: readiness.report().checks }));
  });
  app.get("/health/readiness", (c) => {
    const ready = shown(c, readiness.report(c.req.queries("exclude") ?? []));
    return isVerbose(c) ? verbose(c, "readiness", ready) : answer(c, ready);
  });
}

function pathless({ checks, ...rest }: Health): Health {
  if (checks === undefined) return rest;
  const shown = ({ output, ...check }: Shown) =>
    output === undefined ? check : { ...check, output: withoutPaths(output) };
  return { ...rest, checks: checks.map(shown) };
}

function bare({ status, checks }: Health): Health {
  if (checks === undefined) return { status };
  return { status, checks: checks.map(({ name, status }) => ({ name, status })) };
}

function isVerbose(c: Context): boolean {
  return c.req.query("verbose") !== undefined;
}

function answer(c: Context, { checks, ...rest }: Health) {
  const body = JSON.stringify({ ...rest, checks: checks && byName(checks) });
  return c.body(body, codeOf(rest.status), { "content-type": "application/health+json" });
}

/** The draft allows several results per check, hence the lists of one. */
function byName(checks: readonly Shown[]) {
  return Object.fromEntries(checks.map(({ name, time, ...rest }) => {
    const shown = time === undefined ? {} : { time: new Date(time).toISOString() };
    return [name, [{ ...rest, ...shown }]];
  }));
}

const marks: Record<Status, string> = { pass: "+", warn: "!", fail: "-" };

/** One line per check, like Kubernetes. */
function verbose(c: Context, kind: string, { status, output, checks = [] }: Health) {
  const lines = checks.map((check) => {
    const detail = check.output === undefined ? "" : `: ${check.output}`;
    return `[${marks[check.status]}]${check.name} ${check.status}${detail}`;
  });
  const end = `${kind}: ${status}${output === undefined ? "" : ` (${output})`}`;
  return c.text([...lines, end, ""].join("\n"), codeOf(status));
}

/** A warning does not make the service unready. */
function codeOf(status: Status): 200 | 503 {
  return status === "fail" ? 503 : 200;
}

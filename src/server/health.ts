/**
 * `/health/liveness` and `/health/readiness`. Machines read the status code, people ask with `?verbose`. The JSON follows
 * draft-inadarei-api-health-check-06, which expired in 2022 and never became an RFC; the words pass, warn and fail are its.
 */
import type { Context } from "hono";
import type { App, OpsDeps } from "./deps.ts";
import type { CheckState, Status } from "./readiness.ts";

interface Health {
  status: Status;
  output?: string;
  checks?: readonly CheckState[];
}

export function addHealth(app: App, { liveness, readiness }: OpsDeps): void {
  app.get("/health/liveness", (c) => {
    const alive = liveness.report();
    if (!isVerbose(c)) return answer(c, alive);
    // The last results of readiness are shown here as well, and do not change the code.
    return verbose(c, "liveness", { ...alive, checks: readiness.report().checks });
  });
  app.get("/health/readiness", (c) => {
    const ready = readiness.report(c.req.queries("exclude") ?? []);
    return isVerbose(c) ? verbose(c, "readiness", ready) : answer(c, ready);
  });
}

function isVerbose(c: Context): boolean {
  return c.req.query("verbose") !== undefined;
}

function answer(c: Context, { checks, ...rest }: Health) {
  const body = { ...rest, ...(checks === undefined ? {} : { checks: byName(checks) }) };
  return c.body(JSON.stringify(body), codeOf(rest.status), {
    "content-type": "application/health+json",
  });
}

/** The draft allows several results per check, hence the lists of one. */
function byName(checks: readonly CheckState[]) {
  return Object.fromEntries(
    checks.map(({ name, time, ...rest }) => [
      name,
      [{ ...rest, time: new Date(time).toISOString() }],
    ]),
  );
}

const marks: Record<Status, string> = { pass: "+", warn: "!", fail: "-" };

/** One line a check, as Kubernetes does it. */
function verbose(c: Context, kind: string, { status, output, checks = [] }: Health) {
  const lines = checks.map((check) => {
    const detail = check.output === undefined ? "" : `: ${check.output}`;
    return `[${marks[check.status]}]${check.name} ${check.status}${detail}`;
  });
  const end = `${kind}: ${status}${output === undefined ? "" : ` (${output})`}`;
  return c.text([...lines, end, ""].join("\n"), codeOf(status));
}

/** A warning does not take the service out of its work. */
function codeOf(status: Status): 200 | 503 {
  return status === "fail" ? 503 : 200;
}

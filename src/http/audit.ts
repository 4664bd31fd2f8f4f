/** Passes actions and refusals of requests to telemetry/audit.ts. */
import type { Context, MiddlewareHandler } from "hono";
import type { Job } from "../jobs/job.ts";
import type { Action, AuditedExport } from "../telemetry/audit.ts";
import type { Access, AppEnvironment, OpsDeps, ServerDeps } from "./deps.ts";
import { peerOf } from "./guard.ts";
import { routeOf } from "./measure.ts";

/** Records that the caller of `c` did this to the export. */
export function audit(
  c: Context<AppEnvironment>,
  { audit }: Pick<ServerDeps, "audit">,
  action: Action,
  job: Job,
  path?: string,
): void {
  audit.did(action, c.get("access").actor, audited(job), path);
}

function audited({ id: exportId, profile, tenant, bundleDigest }: Job): AuditedExport {
  return { exportId, profile, tenant, ...(bundleDigest === undefined ? {} : { bundleDigest }) };
}

export function auditRefusals(
  { audit }: Pick<OpsDeps, "audit">,
): MiddlewareHandler<AppEnvironment> {
  return async (c, next) => {
    await next();
    const { status } = c.res;
    if (status !== 401 && status !== 403) return;
    // Absent if no route that needs a token was matched.
    const access: Access | undefined = c.get("access");
    const client = peerOf(c);
    audit.refused({
      status,
      method: c.req.method,
      route: routeOf(c),
      ...(access === undefined ? {} : { actor: access.actor }),
      ...(client === "" ? {} : { client }),
    });
  };
}

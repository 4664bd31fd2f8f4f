/** Passes actions and refusals of requests to telemetry/audit.ts. */
import type { Context } from "hono";
import type { Job } from "../jobs/job.ts";
import type { Action } from "../telemetry/audit.ts";
import type { Access, AppEnvironment, Handler, OpsDeps, ServerDeps } from "./deps.ts";
import { peerOf } from "./guard.ts";
import { routeOf } from "./measure.ts";

export function audit(
  c: Context<AppEnvironment>,
  { audit }: Pick<ServerDeps, "audit">,
  action: Action,
  job: Job,
  path?: string,
): void {
  const { id: exportId, profile, tenant, bundleDigest } = job;
  audit.did(action, c.get("access").actor, { exportId, profile, tenant, bundleDigest }, path);
}

export function auditRefusals({ audit }: Pick<OpsDeps, "audit">): Handler {
  return async (c, next) => {
    await next();
    const { status } = c.res;
    if (status !== 401 && status !== 403) return;
    // Absent if no route that needs a token was matched.
    const access: Access | undefined = c.get("access");
    const client = peerOf(c) || undefined;
    const route = routeOf(c);
    audit.refused({ status, method: c.req.method, route, actor: access?.actor, client });
  };
}

/** The exports API: create, get, list, cancel, retry, remove. A request never names a path. */
import type { Context } from "hono";
import { belongsTo } from "../config/profile.ts";
import type { Trigger } from "../domain/labels.ts";
import { isFinished, type Job, type State } from "../jobs/job.ts";
import type { NewJob } from "../jobs/job_queue.ts";
import { needs, perAccess } from "./access.ts";
import { audit } from "./audit.ts";
import { maxBodyBytes, readBody } from "./body.ts";
import { blockedBy } from "./checks.ts";
import type { App, AppEnvironment, ServerDeps } from "./deps.ts";
import {
  idPattern,
  invalid,
  isEncoded,
  isJson,
  jsonOf,
  keySchema,
  listSchema,
  pageOf,
  requestSchema,
  shownExport,
} from "./export_request.ts";
import { problem } from "./problem.ts";

export function addExports(app: App, deps: ServerDeps): void {
  const request = perAccess((access) => requestSchema(deps.config, access));
  const listing = perAccess(listSchema);

  app.post("/v1/exports", needs("write"), async (c) => {
    if (deps.isDraining()) return stopping(c);
    if (!isJson(c)) {
      return problem(c, "media_type_unsupported", "The body must be application/json");
    }
    if (isEncoded(c)) {
      c.header("accept-encoding", "identity");
      return problem(c, "media_type_unsupported", "The body must not be compressed");
    }
    const key = keySchema.optional().safeParse(c.req.header("idempotency-key"));
    if (!key.success) return invalid(c, key.error, "Idempotency-Key");
    const text = await readBody(c.req.raw);
    if (text === undefined) {
      return problem(c, "body_too_large", `A body has at most ${maxBodyBytes} bytes`);
    }
    const body = request(c).safeParse(jsonOf(text));
    if (!body.success) return invalid(c, body.error);
    const { tenant, profile, ...rest } = body.data;
    const blocked = blockedBy(deps.readiness.report().checks, deps.config.profiles.get(profile));
    if (blocked !== undefined) return cannot(c, blocked);
    const idempotencyKey = key.data === undefined ? {} : { idempotencyKey: key.data };
    return accept(c, deps, { tenant, profile, request: rest, ...idempotencyKey });
  });

  app.get("/v1/exports", needs("read"), (c) => {
    const query = listing(c).safeParse(c.req.query());
    if (!query.success) return invalid(c, query.error);
    const { cursor, limit, tenant, ...filter } = query.data;
    const tenants = tenant === undefined ? c.get("access").tenants : [tenant];
    const before = cursor === undefined ? {} : { before: cursor };
    const jobs = deps.queue.list({ ...filter, ...before, tenants, limit: limit + 1 });
    return c.json(pageOf(jobs, limit, shownExport));
  });

  app.get("/v1/exports/:id", needs("read"), (c) => {
    const job = jobFor(c, deps);
    return job === undefined ? noExport(c) : c.json(shownExport(job));
  });

  addActions(app, deps);
}

function addActions(app: App, deps: ServerDeps): void {
  app.post("/v1/exports/:id/cancel", needs("write"), (c) => {
    const job = jobFor(c, deps);
    if (job === undefined) return noExport(c);
    if (isFinished(job)) return hasEnded(c, job);
    const after = deps.queue.cancel(job.id) ?? job;
    audit(c, deps, "cancel", after);
    deps.onCancelled(after);
    return c.json(shownExport(after), 202);
  });

  app.post("/v1/exports/:id/retry", needs("write"), (c) => {
    if (deps.isDraining()) return stopping(c);
    const job = jobFor(c, deps);
    if (job === undefined) return noExport(c);
    if (job.state !== "failed" && job.state !== "cancelled") return hasEnded(c, job);
    const profile = deps.config.profiles.get(job.profile);
    if (profile === undefined || !belongsTo(profile, job.tenant)) return noProfile(c, job);
    const after = deps.queue.retry(job.id, deps.config.service.maxQueued) ?? job;
    audit(c, deps, "retry", after);
    deps.onQueued(after);
    return c.json(shownExport(after), 202);
  });

  app.delete("/v1/exports/:id", needs("admin"), (c) => {
    const job = jobFor(c, deps);
    if (job === undefined) return noExport(c);
    if (!isFinished(job)) return hasEnded(c, job);
    const { id: exportId, tenant, profile } = job;
    deps.store.remove({ exportId, tenant, profile });
    deps.queue.remove(exportId);
    audit(c, deps, "delete", job);
    return c.body(null, 204);
  });
}

function accept(c: Context<AppEnvironment>, deps: ServerDeps, asked: NewJob) {
  const trace = deps.trace?.(c.req.header("traceparent"));
  const { actor } = c.get("access");
  const who = { actor, trigger: triggerOf(c), ...(trace && { traceparent: trace.traceparent }) };
  const { job, isNew } = deps.queue.enqueue({ ...asked, ...who }, deps.config.service.maxQueued);
  if (isNew) {
    audit(c, deps, "queue", job);
    deps.onQueued(job);
  }
  const { id: exportId, profile, tenant } = job;
  trace?.end({ exportId, profile, tenant, status: 202 });
  return c.json(shownExport(job), 202, { location: `/v1/exports/${exportId}` });
}

/** The stella command identifies itself; doing the same has no advantage for others. */
function triggerOf(c: Context): Trigger {
  return c.req.header("user-agent")?.startsWith("stella/") ? "cli" : "api";
}

/** The export in the path, if the caller may see it. */
export function jobFor(c: Context<AppEnvironment>, { queue }: Pick<ServerDeps, "queue">) {
  const id = c.req.param("id") ?? "";
  const job = idPattern.test(id) ? queue.get(id) : undefined;
  return job !== undefined && c.get("access").tenants.includes(job.tenant) ? job : undefined;
}

/** A foreign tenant's id is answered like an unknown one; an invalid one is the request's fault. */
export function noExport(c: Context) {
  if (!idPattern.test(c.req.param("id") ?? "")) {
    return problem(c, "id_invalid", "Not an export id");
  }
  return problem(c, "not_found", "No such export");
}

/** To be read after `the export`. */
export function stateText(state: State): string {
  if (state === "cancelled") return "was cancelled";
  return state === "queued" || state === "running" ? `is ${state}` : `has ${state}`;
}

function hasEnded(c: Context, { state }: Job) {
  return problem(c, "state_conflict", `The export ${stateText(state)}`);
}

function noProfile(c: Context, { profile }: Job) {
  return problem(c, "profile_removed", `The configuration no longer has the profile ${profile}`, {
    hint: "add it again and restart the service, or export another profile",
  });
}

function stopping(c: Context) {
  c.header("retry-after", "10");
  return problem(c, "service_stopping", "The service is shutting down");
}

function cannot(c: Context, check: string) {
  c.header("retry-after", "10");
  const detail = `The readiness check ${check} does not pass, and this export needs it`;
  return problem(c, "not_ready", detail);
}

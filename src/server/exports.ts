/** The exports API: ask for one, look at one, list them. A request names a profile and never a path. */
import type { Context } from "hono";
import * as z from "zod";
import type { Config } from "../config/load.ts";
import { type Job, states } from "../jobs/job.ts";
import { StellaError } from "../errors.ts";
import { largestBody, readBody } from "./body.ts";
import { problem } from "./problem.ts";
import type { App, ServerDeps } from "./deps.ts";

/** What a job is to do, as the queue keeps it. */
export type ExportRequest = Omit<z.output<ReturnType<typeof requestSchema>>, "tenant" | "profile">;

/** A UUIDv7: what exports and events of the timeline are called. */
export const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Profiles and tenants are those of the configuration; any other name is told apart from nothing. */
function requestSchema(config: Config) {
  return z.strictObject({
    profile: z.string().refine((name) => config.profiles.has(name), "is not a profile"),
    tenant: tenantSchema(config).default(config.tenants[0] ?? "default"),
    compression: z.enum(["zstd", "none"]).exactOptional(),
    layout: z.enum(["archive", "directory"]).exactOptional(),
    volumeSize: z.string().regex(/^(fat32|[1-9]\d{0,15}([KMG]B?)?)$/, "is not a size")
      .exactOptional(),
  });
}

export function tenantSchema(config: Config) {
  return z.string().refine((name) => config.tenants.includes(name), "is not a tenant");
}

function listSchema(config: Config) {
  return z.strictObject({
    tenant: tenantSchema(config).exactOptional(),
    profile: z.string().max(64).exactOptional(),
    state: z.enum(states).exactOptional(),
    cursor: z.string().regex(idPattern, "is not a cursor").exactOptional(),
    limit: z.coerce.number().int().min(1).max(500).default(50),
  });
}

const keySchema = z.string().regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 printable characters");

export function addExports(app: App, deps: ServerDeps): void {
  const request = requestSchema(deps.config);
  const listing = listSchema(deps.config);

  app.post("/v1/exports", async (c) => {
    if (deps.isDraining()) return stopping(c);
    if (!isJson(c)) {
      return problem(c, { status: 415, detail: "The body has to be application/json" });
    }
    const key = keySchema.optional().safeParse(c.req.header("idempotency-key"));
    if (!key.success) return invalid(c, key.error, "Idempotency-Key");
    const text = await readBody(c.req.raw);
    if (text === undefined) {
      return problem(c, { status: 413, detail: `A body has at most ${largestBody} bytes` });
    }
    const body = request.safeParse(jsonOf(text));
    if (!body.success) return invalid(c, body.error);
    const { tenant, profile, ...rest } = body.data;
    const idempotencyKey = key.data === undefined ? {} : { idempotencyKey: key.data };
    const trace = deps.trace?.(c.req.header("traceparent"));
    const { job, isNew } = deps.queue.enqueue({
      tenant,
      profile,
      request: rest,
      ...idempotencyKey,
      ...(trace === undefined ? {} : { traceparent: trace.traceparent }),
    });
    if (isNew) deps.onQueued(job);
    trace?.end({ exportId: job.id, profile, tenant, status: 202 });
    return c.json(shown(job), 202, { location: `/v1/exports/${job.id}` });
  });

  app.get("/v1/exports", (c) => {
    const query = listing.safeParse(c.req.query());
    if (!query.success) return invalid(c, query.error);
    const { cursor, limit, ...filter } = query.data;
    // One more than asked for tells whether there is another page.
    const before = cursor === undefined ? {} : { before: cursor };
    const jobs = deps.queue.list({ ...filter, ...before, limit: limit + 1 });
    const items = jobs.slice(0, limit).map(shown);
    return c.json({ items, next: jobs.length > limit ? items.at(-1)?.id : null });
  });

  app.get("/v1/exports/:id", (c) => {
    const id = c.req.param("id");
    const job = idPattern.test(id) ? deps.queue.get(id) : undefined;
    return job === undefined
      ? problem(c, { status: 404, detail: "There is no such export" })
      : c.json(shown(job));
  });
}

/** The body of design.md section 10; what is not known yet is null. */
function shown({ id, state, profile, tenant, bundleDigest, error }: Job) {
  return { id, state, profile, tenant, bundleDigest: bundleDigest ?? null, error: error ?? null };
}

function stopping(c: Context) {
  c.header("retry-after", "10");
  return problem(c, { status: 503, code: "interrupted", detail: "The service stops" });
}

/** A form of a foreign page cannot send this type without asking first. */
function isJson(c: Context): boolean {
  return /^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StellaError("usage", "The body cannot be read as JSON");
  }
}

/** Everything that is wrong, at once. */
export function invalid(c: Context, error: z.ZodError, place?: string) {
  const errors = error.issues.flatMap((issue) => {
    const path = [...(place === undefined ? [] : [place]), ...issue.path].join(".");
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: key, message: "is not known here" }));
  });
  return problem(c, { status: 400, detail: "The request cannot be used", errors });
}

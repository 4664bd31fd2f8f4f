/**
 * The timeline API: events of exports, from either end, one tenant at a time. A foreign tenant's
 * event is answered like an unknown one.
 */
import * as z from "zod";
import type { JobError } from "../jobs/job.ts";
import type { TimelineEvent } from "../jobs/timeline.ts";
import { needs, perAccess } from "./access.ts";
import type { Access, App, ServerDeps } from "./deps.ts";
import { idPattern, invalid, pageOf, tenantSchema } from "./export_request.ts";
import { problem } from "./problem.ts";
import { shownError } from "./without_paths.ts";

const id = (what: string) => z.string().regex(idPattern, `is not ${what}`);

export function timelineSchema(access: Access) {
  return z.strictObject({
    tenant: ownTenant(access),
    exportId: id("an export id").exactOptional(),
    after: id("an event id").exactOptional(),
    before: id("an event id").exactOptional(),
    first: z.enum(["oldest", "newest"]).default("oldest"),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  });
}

export function eventQuerySchema(access: Access) {
  return z.strictObject({ tenant: ownTenant(access), eventId: id("an event id") });
}

function ownTenant(access: Access) {
  return tenantSchema(access).default(access.tenants[0] ?? "default");
}

export function addTimeline(app: App, { timeline }: ServerDeps): void {
  const listing = perAccess(timelineSchema);
  const one = perAccess(eventQuerySchema);

  app.get("/v1/timeline", needs("read"), (c) => {
    const query = listing(c).safeParse(c.req.query());
    if (!query.success) return invalid(c, query.error);
    const { limit, ...filter } = query.data;
    return c.json(pageOf(timeline.list({ ...filter, limit: limit + 1 }), limit, shownEvent));
  });

  app.get("/v1/timeline/:eventId", needs("read"), (c) => {
    const query = one(c).safeParse({ ...c.req.query(), eventId: c.req.param("eventId") });
    if (!query.success) return invalid(c, query.error);
    const event = timeline.get(query.data.eventId, query.data.tenant);
    return event === undefined
      ? problem(c, "not_found", "No such event")
      : c.json(shownEvent(event));
  });
}

export function shownEvent({ time, attributes, ...event }: TimelineEvent) {
  const { error } = attributes;
  const shown = error === undefined
    ? attributes
    : { ...attributes, error: shownError(error as JobError) };
  return { ...event, attributes: shown, time: new Date(time).toISOString() };
}

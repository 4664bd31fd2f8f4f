/**
 * The timeline API: what happened to exports, oldest first, one tenant at a time. A foreign tenant's event or export is answered
 * exactly as one that does not exist; an id that cannot be one is a fault of the request.
 */
import * as z from "zod";
import type { TimelineEvent } from "../jobs/timeline.ts";
import type { App, ServerDeps } from "./deps.ts";
import { idPattern, invalid, tenantSchema } from "./exports.ts";
import { problem } from "./problem.ts";

export function addTimeline(app: App, { config, timeline }: ServerDeps): void {
  const tenant = tenantSchema(config).default(config.tenants[0] ?? "default");
  const id = (what: string) => z.string().regex(idPattern, `is not ${what}`);
  const listing = z.strictObject({
    tenant,
    exportId: id("an export id").exactOptional(),
    after: id("an event id").exactOptional(),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  });
  const one = z.strictObject({ tenant, eventId: id("an event id") });

  app.get("/v1/timeline", (c) => {
    const query = listing.safeParse(c.req.query());
    if (!query.success) return invalid(c, query.error);
    const { limit, ...filter } = query.data;
    // One more than asked for tells whether there is another page.
    const events = timeline.list({ ...filter, limit: limit + 1 });
    const items = events.slice(0, limit).map(shown);
    return c.json({ items, next: events.length > limit ? items.at(-1)?.id : null });
  });

  app.get("/v1/timeline/:eventId", (c) => {
    const query = one.safeParse({ ...c.req.query(), eventId: c.req.param("eventId") });
    if (!query.success) return invalid(c, query.error);
    const event = timeline.get(query.data.eventId, query.data.tenant);
    return event === undefined
      ? problem(c, { status: 404, detail: "There is no such event" })
      : c.json(shown(event));
  });
}

function shown({ time, ...event }: TimelineEvent) {
  return { ...event, time: new Date(time).toISOString() };
}

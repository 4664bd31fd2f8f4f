/**
 * The timeline: what happened to every export, step by step, kept for as long as the configuration
 * says. An event belongs to one tenant, and everything that reads takes the tenant, so that a foreign
 * event is exactly as absent as one that never was. Ids are UUIDv7 and grow with every event, also of
 * one millisecond and after a clock that was set back: their order is the order of what happened, and
 * a cursor stays good when older events are gone.
 */

export interface TimelineEvent {
  id: string;
  /** Milliseconds since 1970. */
  time: number;
  exportId: string;
  tenant: string;
  profile: string;
  /** What happened, such as `queued`, `read`, `pushed`, `succeeded`. */
  stage: string;
  /** Details, plain data. */
  attributes: Record<string, unknown>;
}

export type EventOf = Pick<TimelineEvent, "exportId" | "tenant" | "profile">;

export interface TimelineFilter {
  tenant: string;
  exportId?: string;
  /** Only events after this one, which need not be there any more. */
  after?: string;
  /** Only events before this one, which need not be there any more. */
  before?: string;
  /** Oldest where it is not given. */
  first?: "oldest" | "newest";
  limit: number;
}

export interface Timeline {
  /** @throws StellaError media */
  add(of: EventOf, stage: string, attributes?: Record<string, unknown>): TimelineEvent;
  /** Undefined where there is none, or it is another tenant's. */
  get(id: string, tenant: string): TimelineEvent | undefined;
  list(filter: TimelineFilter): TimelineEvent[];
  /** Removes what is too old. @throws StellaError media */
  prune(): void;
}

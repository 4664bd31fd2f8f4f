/**
 * The timeline: the events of all exports, kept for the configured time. Every read takes the
 * tenant, so a foreign event looks like a missing one. Ids are UUIDv7 and ascend with every event,
 * also after the clock was set back, so a cursor stays valid when older events are removed.
 */

export interface TimelineEvent {
  id: string;
  /** Milliseconds since 1970. */
  time: number;
  exportId: string;
  tenant: string;
  profile: string;
  /** The event, such as `queued`, `read`, `pushed`, `succeeded`. */
  stage: string;
  /** Details, plain data. */
  attributes: Record<string, unknown>;
}

export type EventOf = Pick<TimelineEvent, "exportId" | "tenant" | "profile">;

export interface TimelineFilter {
  tenant: string;
  exportId?: string;
  /** Only events after this one, which need not exist any more. */
  after?: string;
  /** Only events before this one, which need not exist any more. */
  before?: string;
  /** Default: oldest. */
  first?: "oldest" | "newest";
  limit: number;
}

export interface Timeline {
  /** @throws StellaError io */
  add(of: EventOf, stage: string, attributes?: Record<string, unknown>): TimelineEvent;
  /** Undefined if it does not exist or belongs to another tenant. */
  get(id: string, tenant: string): TimelineEvent | undefined;
  list(filter: TimelineFilter): TimelineEvent[];
  /** Removes old events. @throws StellaError io */
  prune(): void;
}

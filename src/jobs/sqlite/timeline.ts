/** Stores the timeline in the service's database. */
import type { EventOf, Timeline, TimelineEvent, TimelineFilter } from "../timeline.ts";
import type { Database, Row, Value } from "./sql.ts";
import { timeOf, uuidV7 } from "../../domain/uuid.ts";

export interface TimelineOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** Fills the bytes. */
  random(bytes: Uint8Array): Uint8Array;
  /** Milliseconds for which events are kept. */
  keep: number;
}

/** Number of events between two removals of old ones. */
const pruneEvery = 500;
/** Ids per millisecond: twelve bits of the UUID count them. */
const maxPerTime = 4096;

export class SqliteTimeline implements Timeline {
  #last: { time: number; count: number };
  #added = 0;

  constructor(readonly db: Database, readonly options: TimelineOptions) {
    const newest = db.one("SELECT max(id) AS id FROM events")?.["id"];
    this.#last = { time: typeof newest === "string" ? timeOf(newest) : 0, count: maxPerTime };
    this.prune();
  }

  add(of: EventOf, stage: string, attributes: Record<string, unknown> = {}): TimelineEvent {
    const { exportId, tenant, profile } = of;
    const event = {
      id: this.#newId(),
      time: this.options.now(),
      exportId,
      tenant,
      profile,
      stage,
      attributes,
    };
    const values = [...Object.values({ ...event, attributes: JSON.stringify(attributes) })];
    this.db.writeLazily(
      "Cannot write the timeline",
      () => this.db.run("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", values as Value[]),
    );
    if (++this.#added % pruneEvery === 0) this.prune();
    return event;
  }

  get(id: string, tenant: string): TimelineEvent | undefined {
    const row = this.db.one("SELECT * FROM events WHERE id = ? AND tenant = ?", [id, tenant]);
    return row === undefined ? undefined : eventOf(row);
  }

  list({ tenant, limit, first = "oldest", ...filter }: TimelineFilter): TimelineEvent[] {
    const { exportId, after = "", before } = filter;
    const terms = ["tenant = ?", "id > ?"];
    const values = [tenant, after];
    const add = (term: string, value: string | undefined) => {
      if (value === undefined) return;
      terms.push(term);
      values.push(value);
    };
    add("export_id = ?", exportId);
    add("id < ?", before);
    const order = first === "oldest" ? "ASC" : "DESC";
    const sql = `SELECT * FROM events WHERE ${terms.join(" AND ")} ORDER BY id ${order} LIMIT ?`;
    return this.db.all(sql, [...values, limit]).map(eventOf);
  }

  prune(): void {
    const before = this.options.now() - this.options.keep;
    // Compared as an id, which is the primary key.
    const oldest = uuidV7(Math.max(0, before), new Uint8Array(10));
    this.db.write("Cannot prune the timeline", () => {
      this.db.run("DELETE FROM events WHERE id < ?", [oldest]);
    });
  }

  #newId(): string {
    const now = Math.max(this.options.now(), this.#last.time);
    const isNew = now > this.#last.time;
    const count = isNew ? 0 : this.#last.count + 1;
    this.#last = count < maxPerTime ? { time: now, count } : { time: now + 1, count: 0 };
    const random = this.options.random(new Uint8Array(10));
    new DataView(random.buffer).setUint16(0, this.#last.count);
    return uuidV7(this.#last.time, random);
  }
}

function eventOf(row: Row): TimelineEvent {
  return {
    id: String(row["id"]),
    time: Number(row["time"]),
    exportId: String(row["export_id"]),
    tenant: String(row["tenant"]),
    profile: String(row["profile"]),
    stage: String(row["stage"]),
    attributes: JSON.parse(String(row["attributes"])),
  };
}

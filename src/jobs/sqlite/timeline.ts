/** Stores the timeline in the service's database. */
import type { EventOf, Timeline, TimelineEvent, TimelineFilter } from "../timeline.ts";
import type { Database, Row } from "./sql.ts";
import { ascendingIds, type IdOptions, uuidV7 } from "../../domain/uuid.ts";

export interface TimelineOptions extends Pick<IdOptions, "now" | "random"> {
  /** Milliseconds for which events are kept. */
  keep: number;
}

/** Number of events between two removals of old ones. */
const pruneEvery = 500;

export class SqliteTimeline implements Timeline {
  readonly #newId: () => string;
  #added = 0;

  constructor(readonly db: Database, readonly options: TimelineOptions) {
    const newest = db.one("SELECT max(id) AS id FROM events")?.["id"];
    const after = typeof newest === "string" ? newest : undefined;
    this.#newId = ascendingIds({ ...options, after, perMillisecond: 4096 });
    this.prune();
  }

  add(of: EventOf, stage: string, attributes: Record<string, unknown> = {}): TimelineEvent {
    const { exportId, tenant, profile } = of;
    const [id, time] = [this.#newId(), this.options.now()];
    const values = [id, time, exportId, tenant, profile, stage, JSON.stringify(attributes)];
    this.db.writeLazily("Cannot write the timeline", () => {
      this.db.run("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", values);
    });
    if (++this.#added % pruneEvery === 0) this.prune();
    return { id, time, exportId, tenant, profile, stage, attributes };
  }

  get(id: string, tenant: string): TimelineEvent | undefined {
    const row = this.db.one("SELECT * FROM events WHERE id = ? AND tenant = ?", [id, tenant]);
    return row === undefined ? undefined : eventOf(row);
  }

  list({ tenant, limit, first, exportId, after = "", before }: TimelineFilter): TimelineEvent[] {
    const terms = ["tenant = ?", "id > ?"];
    const values = [tenant, after];
    const add = (term: string, value: string | undefined) => {
      if (value === undefined) return;
      terms.push(term);
      values.push(value);
    };
    add("export_id = ?", exportId);
    add("id < ?", before);
    const order = first === "newest" ? "DESC" : "ASC";
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

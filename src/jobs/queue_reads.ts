/** What is read from the table `jobs`; none of it costs more where many wait, but counting them. */
import { type Job, jobOf } from "./job.ts";
import { type Figures, type Filter, noCursor } from "./job_queue.ts";
import type { Database, Row, Value } from "./sql.ts";

export function jobsOf(db: Database, filter: Filter): Job[] {
  const { before, limit, tenants, profile, state } = filter;
  const terms = ["seq < ?"];
  const values: Value[] = [positionOf(db, before, tenants)];
  const equal = (column: string, value: string | undefined) => {
    if (value === undefined) return;
    terms.push(`${column} = ?`);
    values.push(value);
  };
  if (tenants !== undefined) {
    terms.push(`tenant IN (${tenants.map(() => "?").join(", ")})`);
    values.push(...tenants);
  }
  equal("profile", profile);
  equal("state", state);
  return db.all(
    `SELECT * FROM jobs WHERE ${terms.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
    [...values, limit],
  ).map(jobOf);
}

function positionOf(db: Database, before?: string, tenants?: readonly string[]): number {
  if (before === undefined) return Number.MAX_SAFE_INTEGER;
  const row = db.one("SELECT seq, tenant FROM jobs WHERE id = ?", [before]);
  const isOwn = tenants === undefined || tenants.includes(String(row?.["tenant"]));
  if (row !== undefined && isOwn) return Number(row["seq"]);
  throw noCursor();
}

/** Tenants with a job that may run now: one step of the index for each, however many jobs it has. */
export function tenantsReady(db: Database): string[] {
  const next = `SELECT min(tenant) AS tenant FROM jobs
    WHERE state = 'queued' AND not_before = 0 AND tenant > ?`;
  const found: string[] = [];
  for (let last: unknown = "";;) {
    last = db.one(next, [String(last)])?.["tenant"];
    if (typeof last !== "string") return found;
    found.push(last);
  }
}

export function countByTenant(db: Database): Map<string, number> {
  const rows = db.all(
    "SELECT tenant, count(*) AS jobs FROM jobs WHERE state = 'running' GROUP BY tenant",
  );
  return new Map(rows.map((row) => [String(row["tenant"]), Number(row["jobs"])]));
}

export function figuresOf(db: Database): Figures {
  const waiting = db.one("SELECT count(*) AS jobs FROM jobs WHERE state = 'queued'");
  const oldest = db.one("SELECT min(queued_at) AS at FROM jobs WHERE state = 'queued'")?.["at"];
  const running = db.all(
    `SELECT profile, count(*) AS jobs, min(started_at) AS started FROM jobs
     WHERE state = 'running' GROUP BY profile`,
  );
  return {
    queued: Number(waiting?.["jobs"]),
    running: running.reduce((total, row) => total + Number(row["jobs"]), 0),
    oldestQueuedAt: oldest === null ? undefined : Number(oldest),
    oldestRunningAt: new Map(running.map(startOf)),
  };
}

function startOf(row: Row): [string, number] {
  return [String(row["profile"]), Number(row["started"])];
}

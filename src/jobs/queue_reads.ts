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

/** The planner would take the index of states, which has all that wait in one heap. */
const ready = "FROM jobs INDEXED BY jobs_ready WHERE state = 'queued' AND not_before = 0 AND";

/** The place in the queue of the tenant's next job. */
export function nextReady(db: Database, tenant: string): Value | undefined {
  return db.one(`SELECT seq ${ready} tenant = ? ORDER BY seq LIMIT 1`, [tenant])?.["seq"];
}

/** Tenants with a job that may run now: one step of the index for each, however many jobs it has. */
export function tenantsReady(db: Database): string[] {
  const next = `SELECT tenant ${ready} tenant > ? ORDER BY tenant LIMIT 1`;
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
  const waiting = "FROM jobs INDEXED BY jobs_waiting WHERE state = 'queued'";
  const queued = Number(db.one(`SELECT count(*) AS jobs ${waiting}`)?.["jobs"]);
  const oldest = db.one(`SELECT queued_at ${waiting} ORDER BY queued_at LIMIT 1`)?.["queued_at"];
  const running = db.all(
    `SELECT profile, count(*) AS jobs, min(started_at) AS started FROM jobs
     WHERE state = 'running' GROUP BY profile`,
  );
  return {
    queued,
    running: running.reduce((total, row) => total + Number(row["jobs"]), 0),
    oldestQueuedAt: oldest === undefined ? undefined : Number(oldest),
    oldestRunningAt: new Map(running.map(startOf)),
  };
}

function startOf(row: Row): [string, number] {
  return [String(row["profile"]), Number(row["started"])];
}

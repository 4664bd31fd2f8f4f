/** Reads of the table `jobs`; only counting costs more with many waiting jobs. */
import { type Job } from "../job.ts";
import { jobOf } from "./job_row.ts";
import type { Figures, Filter } from "../job_queue.ts";
import type { Database, Row, Value } from "./sql.ts";

export function jobsOf(db: Database, filter: Filter): Job[] {
  const { before, limit, tenants, profile, state } = filter;
  const terms = ["seq < ?"];
  const values: Value[] = [positionOf(db, before)];
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

/** Ids ascend (uuid.ts), so the position of a missing job is that of the next one. */
function positionOf(db: Database, before: string | undefined): number {
  const next = "SELECT seq FROM jobs WHERE id >= ? ORDER BY id LIMIT 1";
  const row = before === undefined ? undefined : db.one(next, [before]);
  return Number(row?.["seq"] ?? Number.MAX_SAFE_INTEGER);
}

export function madeOf(db: Database, profile: string): Job[] {
  const sql = "SELECT * FROM jobs WHERE profile = ? AND stored > 0 ORDER BY stored";
  return db.all(sql, [profile]).map(jobOf);
}

/** The planner would choose the index of states, in which all waiting jobs are together. */
const ready = "FROM jobs INDEXED BY jobs_ready WHERE state = 'queued' AND not_before = 0 AND";

/** Profiles that are not skipped. */
const other = "profile NOT IN (SELECT value FROM json_each(?))";

/** Position of the tenant's next job, skipping the profiles in `passed`. */
export function nextReady(
  db: Database,
  tenant: string,
  passed: ReadonlySet<string>,
): Value | undefined {
  const sql = `SELECT seq ${ready} tenant = ? AND ${other} ORDER BY seq LIMIT 1`;
  return db.one(sql, [tenant, listOf(passed)])?.["seq"];
}

/** Tenants with a job that is ready: one index step for each, however many jobs it has. */
export function tenantsReady(db: Database, passed: ReadonlySet<string>): string[] {
  const next = `SELECT tenant ${ready} tenant > ? AND ${other} ORDER BY tenant LIMIT 1`;
  const found: string[] = [];
  for (let last: unknown = "";;) {
    last = db.one(next, [String(last), listOf(passed)])?.["tenant"];
    if (typeof last !== "string") return found;
    found.push(last);
  }
}

function listOf(names: ReadonlySet<string>): string {
  return JSON.stringify([...names]);
}

/** Whether `max` jobs of the tenant are waiting, without those waiting for a retry. */
export function isFull(db: Database, tenant: string, max: number): boolean {
  if (!Number.isFinite(max)) return false;
  const jobs = db.one(`SELECT count(*) AS jobs ${ready} tenant = ?`, [tenant])?.["jobs"];
  return Number(jobs) >= max;
}

/** One scan of all jobs, at startup. */
export function lastSuccessesOf(db: Database): Map<string, number> {
  const rows = db.all(
    "SELECT profile, max(finished_at) AS ended FROM jobs WHERE state = 'succeeded' GROUP BY profile",
  );
  return new Map(rows.map((row) => [String(row["profile"]), Number(row["ended"])]));
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

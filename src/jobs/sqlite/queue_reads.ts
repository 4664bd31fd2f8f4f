/** Reads of the table `jobs`; only counting costs more with many waiting jobs. */
import type { Job } from "../job.ts";
import type { Figures, Filter } from "../job_queue.ts";
import { jobOf } from "./job_row.ts";
import type { Database, Row, Value } from "./sql.ts";

/** The planner would choose the index of states, in which all waiting jobs are together. */
const ready = "FROM jobs INDEXED BY jobs_ready WHERE state = 'queued' AND not_before = 0 AND";

/** Profiles that are not skipped. */
const other = "profile NOT IN (SELECT value FROM json_each(?))";

export class QueueReads {
  /** @param database also for other tables in the same file */
  constructor(readonly database: Database) {}

  get(id: string): Job | undefined {
    const row = this.database.one("SELECT * FROM jobs WHERE id = ?", [id]);
    return row === undefined ? undefined : jobOf(row);
  }

  list({ before, limit, tenants, profile, state }: Filter): Job[] {
    const terms = ["seq < ?"];
    const values: Value[] = [this.#positionOf(before)];
    const add = (term: string, ...found: string[]) => {
      terms.push(term);
      values.push(...found);
    };
    if (tenants) add(`tenant IN (${tenants.map(() => "?").join(", ")})`, ...tenants);
    if (profile !== undefined) add("profile = ?", profile);
    if (state !== undefined) add("state = ?", state);
    const sql = `SELECT * FROM jobs WHERE ${terms.join(" AND ")} ORDER BY seq DESC LIMIT ?`;
    return this.database.all(sql, [...values, limit]).map(jobOf);
  }

  /** Ids ascend (uuid.ts), so the position of a missing job is that of the next one. */
  #positionOf(before: string | undefined): number {
    const next = "SELECT seq FROM jobs WHERE id >= ? ORDER BY id LIMIT 1";
    const row = before === undefined ? undefined : this.database.one(next, [before]);
    return Number(row?.["seq"] ?? Number.MAX_SAFE_INTEGER);
  }

  made(profile: string): Job[] {
    const sql = "SELECT * FROM jobs WHERE profile = ? AND stored > 0 ORDER BY stored";
    return this.database.all(sql, [profile]).map(jobOf);
  }

  /** One scan of all jobs, at startup. */
  lastSuccesses(): Map<string, number> {
    return this.#numbersBy(
      "profile",
      "SELECT profile, max(finished_at) AS value FROM jobs WHERE state = 'succeeded' GROUP BY profile",
    );
  }

  figures(): Figures {
    const waiting = "FROM jobs INDEXED BY jobs_waiting WHERE state = 'queued'";
    const { database } = this;
    const queued = Number(database.one(`SELECT count(*) AS jobs ${waiting}`)?.["jobs"]);
    const first = database.one(`SELECT queued_at ${waiting} ORDER BY queued_at LIMIT 1`);
    const running = this.runningByTenant();
    return {
      queued,
      running: running.values().reduce((total, jobs) => total + jobs, 0),
      oldestQueuedAt: first === undefined ? undefined : Number(first["queued_at"]),
      oldestRunningAt: this.#numbersBy(
        "profile",
        "SELECT profile, min(started_at) AS value FROM jobs WHERE state = 'running' GROUP BY profile",
      ),
    };
  }

  protected runningByTenant(): Map<string, number> {
    return this.#numbersBy(
      "tenant",
      "SELECT tenant, count(*) AS value FROM jobs WHERE state = 'running' GROUP BY tenant",
    );
  }

  /** Position of the tenant's next job, skipping the profiles in `passed`. */
  protected nextReady(tenant: string, passed: ReadonlySet<string>): Value | undefined {
    const sql = `SELECT seq ${ready} tenant = ? AND ${other} ORDER BY seq LIMIT 1`;
    return this.database.one(sql, [tenant, listOf(passed)])?.["seq"];
  }

  /** Tenants with a job that is ready: one index step for each, however many jobs it has. */
  protected tenantsReady(passed: ReadonlySet<string>): string[] {
    const next = `SELECT tenant ${ready} tenant > ? AND ${other} ORDER BY tenant LIMIT 1`;
    const found: string[] = [];
    for (let last: unknown = "";;) {
      last = this.database.one(next, [String(last), listOf(passed)])?.["tenant"];
      if (typeof last !== "string") return found;
      found.push(last);
    }
  }

  /** Whether `max` jobs of the tenant are waiting, without those waiting for a retry. */
  protected isFull(tenant: string, max: number): boolean {
    if (!Number.isFinite(max)) return false;
    const row = this.database.one(`SELECT count(*) AS jobs ${ready} tenant = ?`, [tenant]);
    return Number(row?.["jobs"]) >= max;
  }

  #numbersBy(column: string, sql: string): Map<string, number> {
    const pair = (row: Row) => [String(row[column]), Number(row["value"])] as const;
    return new Map(this.database.all(sql).map(pair));
  }
}

function listOf(names: ReadonlySet<string>): string {
  return JSON.stringify([...names]);
}

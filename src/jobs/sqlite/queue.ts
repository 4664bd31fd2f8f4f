/** The job queue in `stella.db`; see job_queue.ts for its contract. */
import { openDatabase } from "./database.ts";
import { isFinished, type Job, type JobError, type Outcome } from "../job.ts";
import { jobOf } from "./job_row.ts";
import {
  defaultLease,
  gaveUp,
  type JobQueue,
  keyReused,
  maxAttempts,
  maxWait,
  type NewJob,
  queueFull,
  type QueueOptions,
  type Recovered,
} from "../job_queue.ts";
import { QueueReads } from "./queue_reads.ts";
import type { Row, Value } from "./sql.ts";
import { FairScheduler } from "../fair_scheduler.ts";

export class SqliteQueue extends QueueReads implements JobQueue {
  readonly #options: Required<Omit<QueueOptions, "onNew">>;
  readonly #turns = new FairScheduler();

  /** @throws StellaError usage; see `openDatabase` */
  constructor(path: string, { onNew, ...options }: QueueOptions) {
    super(openDatabase(path, onNew));
    this.#options = { lease: defaultLease, ...options };
  }

  enqueue(job: NewJob, max = Infinity): { job: Job; isNew: boolean } {
    const { tenant, profile, idempotencyKey: key = null, traceparent = null } = job;
    const { trigger = "api", actor = null } = job;
    const request = JSON.stringify(job.request);
    return this.database.write("Cannot queue the export", () => {
      const earlier = this.#earlier(tenant, key);
      if (earlier !== undefined) return { job: same(earlier, profile, request), isNew: false };
      if (this.isFull(tenant, max)) throw queueFull(max);
      const [id, now] = [this.#options.newId(), this.#options.now()];
      this.database.run(
        `INSERT INTO jobs (id, tenant, profile, request, idempotency_key, traceparent, created_at,
           queued_at, trigger, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [id, tenant, profile, request, key, traceparent, now, now, trigger, actor],
      );
      return { job: this.get(id) as Job, isNew: true };
    });
  }

  claim(
    held: ReadonlySet<string> = new Set(),
    passed: ReadonlySet<string> = new Set(),
  ): Job | undefined {
    const { now, lease } = this.#options;
    return this.database.writeLazily("Cannot lease a job", () => {
      this.#promote();
      const seq = this.#lapsed(held, passed) ?? this.#ready(passed);
      if (seq === undefined) return undefined;
      const row = this.database.one(
        `UPDATE jobs SET state = 'running', attempt = attempt + 1, tries = tries + 1,
           lease_until = ?, started_at = coalesce(started_at, ?) WHERE seq = ? RETURNING *`,
        [now() + lease, now(), seq],
      );
      const job = jobOf(row as Row);
      this.#turns.recordServed(job.tenant);
      return job;
    });
  }

  heartbeat(job: Job): boolean {
    const until = this.#options.now() + this.#options.lease;
    const renew = () => this.#set(job, "lease_until = ?", [until]);
    return this.database.writeLazily("Cannot renew the lease", renew);
  }

  finish(job: Job, outcome: Outcome): boolean {
    const { state, bundleDigest = null, bytes = null, files = null, sameAs = null } = outcome;
    const error = outcome.error === undefined ? null : JSON.stringify(outcome.error);
    const stored = state === "succeeded" && sameAs === null ? nextStored : "0";
    const now = this.#options.now();
    return this.database.write("Cannot write the state of the export", () => {
      const isOurs = this.#set(
        job,
        `state = ?, stored = ${stored}, finished_at = ?, bundle_digest = ?, bytes = ?, files = ?,
           same_as = ?, error = ?, lease_until = NULL, cancelling = 0`,
        [state, now, bundleDigest, bytes, files, sameAs, error],
      );
      if (isOurs) this.database.run("UPDATE jobs SET confirmed_at = ? WHERE id = ?", [now, sameAs]);
      return isOurs;
    });
  }

  release(job: Job): boolean {
    return this.#change(job, "state = 'queued', tries = tries - 1, lease_until = NULL", []);
  }

  defer(job: Job, error: JobError, wait: number): boolean {
    return this.#change(
      job,
      "state = 'queued', not_before = ?, error = ?, lease_until = NULL",
      [this.#options.now() + Math.min(Math.max(1, wait), maxWait), JSON.stringify(error)],
    );
  }

  cancel(id: string): Job | undefined {
    return this.database.write("Cannot cancel the export", () => {
      this.database.run("UPDATE jobs SET cancelling = 1 WHERE id = ? AND state = 'running'", [id]);
      this.database.run(
        `UPDATE jobs SET state = 'cancelled', finished_at = ?, not_before = 0, error = NULL
         WHERE id = ? AND state = 'queued'`,
        [this.#options.now(), id],
      );
      return this.get(id);
    });
  }

  retry(id: string, max = Infinity): Job | undefined {
    return this.database.write("Cannot queue the export again", () => {
      const job = this.get(id);
      const isEnded = job?.state === "failed" || job?.state === "cancelled";
      if (isEnded && this.isFull(job.tenant, max)) throw queueFull(max);
      this.database.run(
        `UPDATE jobs SET state = 'queued', tries = 0, queued_at = ?, started_at = NULL,
           finished_at = NULL, error = NULL, not_before = 0
         WHERE id = ? AND state IN ('failed', 'cancelled')`,
        [this.#options.now(), id],
      );
      return this.get(id);
    });
  }

  remove(id: string): boolean {
    const job = this.get(id);
    if (job === undefined || !isFinished(job)) return false;
    const remove = () => this.database.run("DELETE FROM jobs WHERE id = ?", [id]) === 1;
    return this.database.write("Cannot remove the export", remove);
  }

  bundlesRemoved(ids: readonly string[]): void {
    this.database.write("Cannot record that bundles were removed", () => {
      for (const id of ids) this.database.run("UPDATE jobs SET stored = 0 WHERE id = ?", [id]);
    });
  }

  prune(before: number, max: number): Job[] {
    return this.database.write("Cannot remove old exports", () =>
      this.database.all(
        `DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs
           WHERE finished_at < ? AND stored = 0
           ORDER BY finished_at LIMIT ?) RETURNING *`,
        [before, max],
      )).map(jobOf);
  }

  recover(): Recovered {
    const { now } = this.#options;
    const change = (set: string, values: Value[], where = "true", more: Value[] = []) =>
      this.database.all(
        `UPDATE jobs SET ${set}, lease_until = NULL, cancelling = 0
         WHERE state = 'running' AND ${where} RETURNING *`,
        [...values, ...more],
      ).map(jobOf);
    return this.database.write("Cannot recover the queue", () => ({
      cancelled: change("state = 'cancelled', finished_at = ?", [now()], "cancelling = 1"),
      givenUp: change(
        "state = 'failed', finished_at = ?, error = ?",
        [now(), JSON.stringify(gaveUp)],
        "tries >= ?",
        [maxAttempts],
      ),
      again: change("state = 'queued'", []),
    }));
  }

  /** Takes and releases the write lock. */
  probe(): void {
    this.database.write("Cannot write to the database", () => undefined);
  }

  close(): void {
    this.database.close();
  }

  /** Jobs that have waited long enough return to their old position. */
  #promote(): void {
    const now = this.#options.now();
    this.database.run(
      `UPDATE jobs INDEXED BY jobs_later SET not_before = 0 WHERE state = 'queued' AND not_before > 0
         AND (not_before <= ? OR not_before > ?)`,
      [now, now + maxWait],
    );
  }

  /** A lease longer than any granted one is from before the clock was set back. */
  #lapsed(held: ReadonlySet<string>, passed: ReadonlySet<string>): Value | undefined {
    const { now, lease } = this.#options;
    const rows = this.database.all(
      `SELECT id, profile, seq FROM jobs WHERE state = 'running' AND (lease_until <= ? OR lease_until > ?)
       ORDER BY seq`,
      [now(), now() + lease],
    );
    const isFree = (row: Row) =>
      !held.has(String(row["id"])) && !passed.has(String(row["profile"]));
    return rows.find(isFree)?.["seq"];
  }

  #ready(passed: ReadonlySet<string>): Value | undefined {
    const tenant = this.#turns.next(this.tenantsReady(passed), this.runningByTenant());
    return tenant === undefined ? undefined : this.nextReady(tenant, passed);
  }

  #earlier(tenant: string, key: string | null): Row | undefined {
    if (key === null) return undefined;
    const sql = "SELECT * FROM jobs WHERE tenant = ? AND idempotency_key = ?";
    return this.database.one(sql, [tenant, key]);
  }

  #change(job: Job, set: string, values: Value[]): boolean {
    const change = () => this.#set(job, set, values);
    return this.database.write("Cannot write the state of the export", change);
  }

  #set(job: Job, set: string, values: Value[]): boolean {
    const sql = `UPDATE jobs SET ${set} WHERE id = ? AND state = 'running' AND attempt = ?`;
    return this.database.run(sql, [...values, job.id, job.attempt]) === 1;
  }
}

/** One more than the profile's newest bundle. */
const nextStored = `(SELECT 1 + coalesce(max(made.stored), 0) FROM jobs AS made
   WHERE made.profile = jobs.profile AND made.stored > 0)`;

/** The existing job of an idempotency key, if the request is the same. */
function same(row: Row, profile: string, request: string): Job {
  if (row["profile"] === profile && row["request"] === request) return jobOf(row);
  throw keyReused();
}

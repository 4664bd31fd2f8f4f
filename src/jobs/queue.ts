/**
 * The queue in the database. A job is on the disk before its caller hears of it; it is leased to one runner, whose
 * heartbeat renews the lease; and only the attempt that holds the lease may finish it, so a job ends exactly once.
 */
import { StellaError } from "../errors.ts";
import { openDatabase } from "./database.ts";
import { type Job, jobOf, type Outcome, type State } from "./job.ts";
import type { Database, Row, Value } from "./sql.ts";

export interface QueueOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** A new, unique id. */
  newId: () => string;
  /** Milliseconds that a job stays leased without a heartbeat. */
  lease?: number;
}

export interface NewJob {
  tenant: string;
  profile: string;
  /** Plain data. */
  request: unknown;
  /** The same key of the same tenant gives the job that stands there already. */
  idempotencyKey?: string;
  /** Kept with the job; the trace of a repeated request is not. */
  traceparent?: string;
}

export interface Filter {
  tenant?: string;
  profile?: string;
  state?: State;
  /** Only jobs that came before this one. */
  before?: string;
  limit: number;
}

/** What waits and what runs, for the metrics; times in milliseconds since 1970. */
export interface Figures {
  queued: number;
  running: number;
  oldestQueuedAt: number | undefined;
  /** By profile: when the oldest running job started. */
  oldestRunningAt: Map<string, number>;
}

/** A job that ended the service this often is given up: it would do so for ever. */
export const mostAttempts = 3;

export class Queue {
  readonly #db: Database;
  readonly #options: Required<QueueOptions>;

  /** @throws StellaError usage; see `openDatabase` */
  constructor(path: string, options: QueueOptions) {
    this.#db = openDatabase(path);
    this.#options = { lease: 60_000, ...options };
  }

  /**
   * Puts a job on the disk. `isNew` is false where the idempotency key is known.
   * @throws StellaError usage where the key was used for another request, media where the disk is full or failing
   */
  enqueue(job: NewJob): { job: Job; isNew: boolean } {
    const request = JSON.stringify(job.request);
    return this.#db.write("Cannot queue the export", () => {
      const earlier = this.#earlier(job.tenant, job.idempotencyKey);
      if (earlier !== undefined) return { job: same(earlier, job.profile, request), isNew: false };
      const id = this.#options.newId();
      this.#db.run(
        `INSERT INTO jobs (id, tenant, profile, request, idempotency_key, traceparent, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [
          id,
          job.tenant,
          job.profile,
          request,
          job.idempotencyKey ?? null,
          job.traceparent ?? null,
          this.#options.now(),
        ],
      );
      return { job: this.#get(id) as Job, isNew: true };
    });
  }

  /** For what is kept beside the queue, in the same file. */
  get database(): Database {
    return this.#db;
  }

  get(id: string): Job | undefined {
    return this.#get(id);
  }

  /** Newest first. @throws StellaError usage where `before` is no job */
  list(filter: Filter): Job[] {
    const { before, limit, ...equal } = filter;
    const wanted = Object.entries(equal).filter(([, value]) => value !== undefined);
    const terms = ["seq < ?", ...wanted.map(([column]) => `${column} = ?`)];
    const values = [this.#position(before), ...wanted.map(([, value]) => value), limit];
    return this.#db.all(
      `SELECT * FROM jobs WHERE ${terms.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
      values,
    ).map(jobOf);
  }

  /** Leases the oldest job that waits, or one whose lease has run out; undefined where there is none. */
  claim(): Job | undefined {
    const { now, lease } = this.#options;
    const row = this.#db.write("Cannot lease a job", () =>
      this.#db.one(
        `UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_until = ?,
           started_at = coalesce(started_at, ?)
         WHERE seq = (SELECT seq FROM jobs
           WHERE state = 'queued' OR (state = 'running' AND lease_until <= ?)
           ORDER BY seq LIMIT 1)
         RETURNING *`,
        [now() + lease, now(), now()],
      ));
    return row === undefined ? undefined : jobOf(row);
  }

  /** Renews the lease; false where this attempt no longer holds it. */
  heartbeat(job: Job): boolean {
    const until = this.#options.now() + this.#options.lease;
    return this.#change(job, "lease_until = ?", [until]);
  }

  /** Ends a job; false where this attempt no longer holds it. @throws StellaError media */
  finish(job: Job, outcome: Outcome): boolean {
    const error = outcome.error === undefined ? null : JSON.stringify(outcome.error);
    return this.#change(
      job,
      "state = ?, finished_at = ?, bundle_digest = ?, error = ?, lease_until = NULL",
      [outcome.state, this.#options.now(), outcome.bundleDigest ?? null, error],
    );
  }

  /** Gives a job back as if this attempt had not been: the service stops before it is done. */
  release(job: Job): boolean {
    return this.#change(job, "state = 'queued', attempt = attempt - 1, lease_until = NULL", []);
  }

  /**
   * After a start, with the lock held: what runs according to the database ran in a process that is dead, and waits
   * again; what did so too often is failed. Returns the jobs of both kinds.
   */
  recover(): { again: Job[]; givenUp: Job[] } {
    return this.#db.write("Cannot recover the queue", () => {
      const givenUp = this.#db.all(
        `UPDATE jobs SET state = 'failed', finished_at = ?, lease_until = NULL, error = ?
         WHERE state = 'running' AND attempt >= ? RETURNING *`,
        [this.#options.now(), JSON.stringify(gaveUp), mostAttempts],
      );
      const again = this.#db.all(
        "UPDATE jobs SET state = 'queued', lease_until = NULL WHERE state = 'running' RETURNING *",
        [],
      );
      return { again: again.map(jobOf), givenUp: givenUp.map(jobOf) };
    });
  }

  figures(): Figures {
    const rows = this.#db.all(
      `SELECT state, profile, count(*) AS jobs, min(created_at) AS created, min(started_at) AS started
       FROM jobs WHERE state IN ('queued', 'running') GROUP BY state, profile`,
      [],
    );
    const queued = rows.filter((row) => row["state"] === "queued");
    const running = rows.filter((row) => row["state"] === "running");
    return {
      queued: sum(queued),
      running: sum(running),
      oldestQueuedAt: queued.length === 0
        ? undefined
        : Math.min(...queued.map((row) => Number(row["created"]))),
      oldestRunningAt: new Map(
        running.map((row) => [String(row["profile"]), Number(row["started"])]),
      ),
    };
  }

  /** Takes the write lock and gives it back: the database can be written to. @throws StellaError */
  probe(): void {
    this.#db.write("Cannot write to the database", () => undefined);
  }

  close(): void {
    this.#db.close();
  }

  #get(id: string): Job | undefined {
    const row = this.#db.one("SELECT * FROM jobs WHERE id = ?", [id]);
    return row === undefined ? undefined : jobOf(row);
  }

  #earlier(tenant: string, key: string | undefined): Row | undefined {
    if (key === undefined) return undefined;
    return this.#db.one("SELECT * FROM jobs WHERE tenant = ? AND idempotency_key = ?", [
      tenant,
      key,
    ]);
  }

  #position(before: string | undefined): number {
    if (before === undefined) return Number.MAX_SAFE_INTEGER;
    const row = this.#db.one("SELECT seq FROM jobs WHERE id = ?", [before]);
    if (row !== undefined) return Number(row["seq"]);
    throw new StellaError("usage", "Cannot list the exports: the cursor is no export");
  }

  #change(job: Job, set: string, values: Value[]): boolean {
    const sql = `UPDATE jobs SET ${set} WHERE id = ? AND state = 'running' AND attempt = ?`;
    return this.#db.write(
      "Cannot write the state of the export",
      () => this.#db.run(sql, [...values, job.id, job.attempt]) === 1,
    );
  }
}

/** The job that a key stands for already, where it was asked for in the same words. */
function same(row: Row, profile: string, request: string): Job {
  if (row["profile"] === profile && row["request"] === request) return jobOf(row);
  throw new StellaError(
    "usage",
    "Cannot queue the export: the idempotency key has another request",
    {
      hint: "use a new key for a new request",
      findings: [{ code: "usage", reason: "idempotency_key_reused" }],
    },
  );
}

function sum(rows: Row[]): number {
  return rows.reduce((total, row) => total + Number(row["jobs"]), 0);
}

const gaveUp = {
  code: "internal",
  message: `The service ended ${mostAttempts} times while this export ran`,
  hint: "look at the service's log around its starts, then ask for the export again",
};

/**
 * The schema of `stella.db` and its migrations. Step n migrates schema n to n + 1; a released step
 * never changes. Times are whole milliseconds since 1970; `seq` is the order of arrival; request,
 * error and attributes are JSON.
 */

const first = `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    profile TEXT NOT NULL,
    request TEXT NOT NULL,
    idempotency_key TEXT,
    traceparent TEXT,
    state TEXT NOT NULL DEFAULT 'queued'
      CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    attempt INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    bundle_digest TEXT,
    error TEXT
  ) STRICT;
  CREATE UNIQUE INDEX jobs_key ON jobs (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_open ON jobs (state, seq) WHERE state IN ('queued', 'running');
  CREATE INDEX jobs_tenant ON jobs (tenant, seq);
  CREATE TABLE events (
    id TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    export_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    profile TEXT NOT NULL,
    stage TEXT NOT NULL,
    attributes TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX events_export ON events (tenant, export_id, id);
  CREATE INDEX events_tenant ON events (tenant, id);
`;

/**
 * Retries, cancellation, schedules. `attempt` only grows and distinguishes the holders of a job;
 * `tries` counts against the limit. `not_before` is 0 for a job that is ready, so the ready jobs of
 * a tenant are adjacent in one index in order of arrival, and a claim costs the same however many
 * wait. `stored` is 1 while the bundle exists, which keeps the job.
 */
const retries = `
  ALTER TABLE jobs ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN cancelling INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN queued_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE jobs ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
  UPDATE jobs SET tries = attempt, queued_at = created_at, stored = (state = 'succeeded');
  DROP INDEX jobs_open;
  CREATE INDEX jobs_state ON jobs (state, seq);
  CREATE INDEX jobs_ready ON jobs (tenant, seq) WHERE state = 'queued' AND not_before = 0;
  CREATE INDEX jobs_later ON jobs (not_before) WHERE state = 'queued' AND not_before > 0;
  CREATE INDEX jobs_waiting ON jobs (queued_at) WHERE state = 'queued';
  CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL AND stored = 0;
  CREATE TABLE schedules (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Unfinished uploads to registries, to resume them; session is JSON. */
const uploads = `
  CREATE TABLE uploads (key TEXT PRIMARY KEY, session TEXT NOT NULL, at INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
`;

/**
 * From here on `stored` numbers the successes of a profile, to tell which bundle is newer. Neither
 * the id, which is the time of the first request, nor a clock that may be set can tell.
 */
const successes = `
  UPDATE jobs SET stored = seq WHERE stored = 1;
  CREATE INDEX jobs_made ON jobs (profile, stored) WHERE stored > 0;
`;

/**
 * Who requested the export, how, and its result. Only schedules create keys with a blank. `same_as`
 * is the export whose stored bundle an unchanged one equals; `confirmed_at`, of that export, is the
 * end of the last unchanged one.
 */
const details = `
  ALTER TABLE jobs ADD COLUMN trigger TEXT NOT NULL DEFAULT 'api'
    CHECK (trigger IN ('api', 'cli', 'schedule'));
  ALTER TABLE jobs ADD COLUMN actor TEXT;
  ALTER TABLE jobs ADD COLUMN bytes INTEGER;
  ALTER TABLE jobs ADD COLUMN files INTEGER;
  ALTER TABLE jobs ADD COLUMN same_as TEXT;
  ALTER TABLE jobs ADD COLUMN confirmed_at INTEGER;
  UPDATE jobs SET trigger = 'schedule' WHERE idempotency_key LIKE 'schedule % %';
`;

const steps: readonly string[] = [first, retries, uploads, successes, details];

/** A database of a newer stella has a higher version and is refused. */
export const schemaVersion = steps.length;

/** The statements that migrate a database from schema `from`. */
export function stepsFrom(from: number): string {
  return steps.slice(from).join("\n");
}

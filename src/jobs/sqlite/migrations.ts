/**
 * The tables of `stella.db` and how they came about. Step n brings schema n to n + 1; a step that was released never changes.
 * Times are whole milliseconds since 1970; `seq` is the order of arrival; request, error and attributes are JSON.
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
 * Retries, cancelling, schedules. `attempt` only grows and tells one holder of a job from the next; `tries` is what counts
 * against the limit. `not_before` is 0 for a job that may run now, so that the ready ones of a tenant lie in one index in
 * the order of their arrival, and a claim costs the same however many wait. `stored` is 1 while its bundle is there: so long
 * a job is not forgotten.
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

/** Uploads to registries that were begun: what is needed to go on with one; session is JSON. */
const uploads = `
  CREATE TABLE uploads (key TEXT PRIMARY KEY, session TEXT NOT NULL, at INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
`;

/**
 * `stored` tells since then which bundle of a profile is newer: it counts the successes of the profile. Neither an id, which is the
 * time of the first request, nor a clock that may be set says that.
 */
const successes = `
  UPDATE jobs SET stored = seq WHERE stored = 1;
  CREATE INDEX jobs_made ON jobs (profile, stored) WHERE stored > 0;
`;

/**
 * Who asked, how, and what came of it. A key with a blank in it is one that only schedules make.
 * `same_as` names the export whose stored bundle an unchanged one equals; `confirmed_at`, of that
 * export, is when the last unchanged one ended.
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

/** A database from a newer stella has a larger one and is refused. */
export const schemaVersion = steps.length;

/** The statements that bring a database of schema `from` to the present one. */
export function stepsFrom(from: number): string {
  return steps.slice(from).join("\n");
}

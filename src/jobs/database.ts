/**
 * The database of the queue, `stella.db`: opened, checked, brought to the present schema. node:sqlite is synchronous, so
 * every transaction is short, and a lock that somebody else holds is an error after a moment and not a stopped service.
 * Sources: reliability.md B2 rows 19 and 20, sqlite.org/pragma.html, /wal.html, /rescode.html.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf, StellaError } from "../errors.ts";
import { Database, databaseError } from "./sql.ts";

/** "stla": `file` and SQLite itself can tell our database from another program's. */
const applicationId = 0x73746c61;
/** Grows with every change of the tables below; a database from a newer stella is refused before anything is written. */
const schemaVersion = 1;
/** Milliseconds; nobody else writes here but a person with a tool. */
const busyTimeout = 250;

/** Times are whole milliseconds since 1970; `seq` is the order of arrival; request, error are JSON. */
const tables = `
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
 * Opens or makes the database at `path`, readable by its owner only.
 * @throws StellaError usage for a damaged, foreign or newer database, and where WAL cannot be had; media
 */
export function openDatabase(path: string): Database {
  let opened: DatabaseSync | undefined;
  try {
    if (!existsSync(path)) makePrivate(path);
    opened = new DatabaseSync(path, { timeout: busyTimeout });
    const db = new Database(opened);
    checkIdentity(db, path);
    setDurable(db, path);
    checkPages(db, path);
    if (db.pragma("user_version") !== schemaVersion) migrate(db);
    return db;
  } catch (error) {
    opened?.close();
    if (error instanceof StellaError) throw error;
    const failure = databaseError(`Cannot open the database ${JSON.stringify(path)}`, error);
    if (failure.code === "media") throw failure;
    throw refuse(
      path,
      messageOf(error),
      "restore it, or move it away to start with an empty queue",
    );
  }
}

/** SQLite gives its -wal and -shm files the mode of the database. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "wx", 0o600));
}

/** Comes before the first write. */
function checkIdentity(db: Database, path: string): void {
  const version = Number(db.pragma("user_version"));
  const application = db.pragma("application_id");
  const isEmpty = db.one("SELECT count(*) AS count FROM sqlite_schema")?.["count"] === 0;
  if (version === 0 && application === 0 && isEmpty) return;
  if (application !== applicationId) {
    throw refuse(path, "it is not a database of stella", "move the file away");
  }
  if (version > schemaVersion) {
    throw refuse(
      path,
      `its schema is ${version}, and this version knows ${schemaVersion}`,
      "start the version of stella that wrote it, or a newer one",
    );
  }
}

/**
 * Write-ahead log with a sync per commit: what was answered with 202 is on the disk. Under an I/O error SQLite
 * may keep another journal mode without throwing, so what it says afterwards decides.
 */
function setDurable(db: Database, path: string): void {
  db.pragma("journal_mode = wal");
  const mode = db.pragma("journal_mode");
  if (mode !== "wal") {
    throw refuse(path, `its journal mode stays ${mode}`, "use a local disk that can be written to");
  }
  db.script("PRAGMA synchronous = FULL");
}

function checkPages(db: Database, path: string): void {
  const answer = db.pragma("quick_check");
  if (answer === "ok") return;
  throw refuse(path, `it is damaged: ${answer}`, "restore it, or move it away");
}

function migrate(db: Database): void {
  db.write("Cannot make the tables of the queue", () => {
    db.script(tables);
    db.script(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`);
  });
}

function refuse(path: string, found: string, hint: string): StellaError {
  return new StellaError("usage", `Cannot open the database ${JSON.stringify(path)}: ${found}`, {
    hint,
  });
}

/**
 * Opens, checks and migrates the database, `stella.db`. node:sqlite is synchronous, so transactions
 * are short, and a lock held elsewhere becomes an error after a moment instead of blocking the
 * service. Sources: sqlite.org/pragma.html, /wal.html, /rescode.html.
 */
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf, StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";
import { schemaVersion, stepsFrom } from "./migrations.ts";
import { Database, databaseError } from "./sql.ts";

/** "stla": lets `file` and SQLite identify our database. */
const applicationId = 0x73746c61;
/** Milliseconds for which the whole service blocks; only an operator's tool could hold the lock. */
const busyTimeout = 50;

/**
 * Opens or creates the database at `path`, readable by its owner only.
 * @param onNew is called before a new one is created, and may throw
 * @throws StellaError config for a damaged, foreign or newer database, or without WAL; io; busy
 */
export function openDatabase(path: string, onNew: () => void = () => {}): Database {
  let opened: DatabaseSync | undefined;
  try {
    if (existsSync(path)) openPrivate(path, "r+");
    else {
      onNew();
      openPrivate(path, "wx");
    }
    opened = new DatabaseSync(path, { timeout: busyTimeout });
    const db = new Database(opened);
    if (isEmpty(db)) onNew();
    else checkIdentity(db, path);
    setDurable(db, path);
    checkPages(db, path);
    const schema = Number(db.pragma("user_version"));
    if (schema !== schemaVersion) migrate(db, path, schema);
    return db;
  } catch (error) {
    opened?.close();
    if (error instanceof StellaError) throw error;
    const failure = databaseError(`Cannot open the database ${JSON.stringify(path)}`, error);
    if (failure.kind === "io" || failure.kind === "busy") throw failure;
    const away = "restore it, or move it and store/ away to start with an empty queue";
    throw refuse(path, messageOf(error), away);
  }
}

/** Creates the file, whose mode -wal and -shm get, or says why it cannot be opened. */
function openPrivate(path: string, flags: "r+" | "wx"): void {
  tryIo("Cannot open the database", path, () => closeSync(openSync(path, flags, 0o600)));
}

/** A database that SQLite has just created, of whatever size. */
function isEmpty(db: Database): boolean {
  return db.pragma("user_version") === 0 && db.pragma("application_id") === 0 &&
    db.one("SELECT count(*) AS count FROM sqlite_schema")?.["count"] === 0;
}

/** Runs before the first write. */
function checkIdentity(db: Database, path: string): void {
  const version = Number(db.pragma("user_version"));
  if (db.pragma("application_id") !== applicationId) {
    throw refuse(path, "it is not a database of stella", "move the file away");
  }
  if (version > schemaVersion) {
    const found = `its schema is ${version}, and this version knows ${schemaVersion}`;
    const kept = keptName(path, schemaVersion);
    const orBack = existsSync(kept) ? `, or put back ${kept}` : "";
    throw refuse(path, found, `start the version that wrote it or a newer one${orBack}`);
  }
}

/**
 * Write-ahead log with a sync per commit: a job answered with 202 is durable. After an I/O error
 * SQLite may keep another journal mode without throwing, so the reported mode decides.
 */
function setDurable(db: Database, path: string): void {
  db.pragma("journal_mode = wal");
  const mode = db.pragma("journal_mode");
  const local = "use a local disk that can be written to";
  if (mode !== "wal") throw refuse(path, `its journal mode is still ${mode}`, local);
  db.script("PRAGMA synchronous = FULL");
}

function checkPages(db: Database, path: string): void {
  const answer = db.pragma("quick_check");
  if (answer === "ok") return;
  throw refuse(path, `it is damaged: ${answer}`, "restore it, or move it and store/ away");
}

/** Migrates in one transaction, after a copy for going back to the previous version. */
function migrate(db: Database, path: string, schema: number): void {
  if (schema > 0) keep(db, keptName(path, schema));
  db.write("Cannot make the tables of the database", () => {
    db.script(stepsFrom(schema));
    db.script(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`);
  });
}

function keptName(path: string, schema: number): string {
  return `${path}.schema${schema}`;
}

/** VACUUM INTO needs a new file; an earlier copy is from a start that was interrupted. */
function keep(db: Database, copy: string): void {
  rmSync(copy, { force: true });
  openPrivate(copy, "wx");
  db.run("VACUUM INTO ?", [copy]);
}

function refuse(path: string, found: string, hint: string): StellaError {
  const text = `Cannot open the database ${JSON.stringify(path)}: ${found}`;
  return new StellaError("database_invalid", text, { hint });
}

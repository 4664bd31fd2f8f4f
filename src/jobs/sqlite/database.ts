/**
 * The database of the queue, `stella.db`: opened, checked, brought to the present schema. node:sqlite is synchronous, so
 * every transaction is short, and a lock that somebody else holds is an error after a moment and not a stopped service.
 * Sources: reliability.md B2 rows 19 and 20, sqlite.org/pragma.html, /wal.html, /rescode.html.
 */
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf, StellaError } from "../../domain/errors.ts";
import { schemaVersion, stepsFrom } from "./migrations.ts";
import { Database, databaseError } from "./sql.ts";

/** "stla": `file` and SQLite itself can tell our database from another program's. */
const applicationId = 0x73746c61;
/** Milliseconds, in which the whole service waits; nobody else writes here but a person with a tool. */
const busyTimeout = 50;

/**
 * Opens or makes the database at `path`, readable by its owner only. `onNew` is called before it is made, and may refuse that.
 * @throws StellaError usage for a damaged, foreign or newer database, and where WAL cannot be had; media
 */
export function openDatabase(path: string, onNew: () => void = () => {}): Database {
  let opened: DatabaseSync | undefined;
  try {
    if (!existsSync(path)) {
      onNew();
      makePrivate(path);
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
    if (failure.code === "media") throw failure;
    throw refuse(
      path,
      messageOf(error),
      "restore it, or move it away, and store/ with it, to start with an empty queue",
    );
  }
}

/** SQLite gives its -wal and -shm files the mode of the database. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "wx", 0o600));
}

/** As SQLite makes it, of whatever size. */
function isEmpty(db: Database): boolean {
  return db.pragma("user_version") === 0 && db.pragma("application_id") === 0 &&
    db.one("SELECT count(*) AS count FROM sqlite_schema")?.["count"] === 0;
}

/** Comes before the first write. */
function checkIdentity(db: Database, path: string): void {
  const version = Number(db.pragma("user_version"));
  const application = db.pragma("application_id");
  if (application !== applicationId) {
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
  throw refuse(path, `it is damaged: ${answer}`, "restore it, or move it and store/ away");
}

/**
 * All steps in one transaction. What stands there is copied first, so that the version before this one can be started again
 * with the database as it left it; jobs that came in between are then missing.
 */
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

/** VACUUM INTO wants an empty or absent file; an earlier copy is of a start that died after this. */
function keep(db: Database, copy: string): void {
  rmSync(copy, { force: true });
  makePrivate(copy);
  db.run("VACUUM INTO ?", [copy]);
}

function refuse(path: string, found: string, hint: string): StellaError {
  return new StellaError("usage", `Cannot open the database ${JSON.stringify(path)}: ${found}`, {
    hint,
  });
}

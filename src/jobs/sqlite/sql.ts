/**
 * A thin wrapper of node:sqlite: prepared statements by text, transactions, and errors that name
 * the action.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { messageOf, StellaError } from "../../domain/errors.ts";

export type Row = Record<string, string | number | bigint | Uint8Array | null>;
export type Value = SQLInputValue;

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  one(sql: string, values: Value[] = []): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all(sql: string, values: Value[] = []): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** Number of changed rows. */
  run(sql: string, values: Value[] = []): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Runs several statements without values. */
  script(sql: string): void {
    this.#db.exec(sql);
  }

  /**
   * The value of `PRAGMA text`. All rows are read, because `get` stops after the first one:
   * `journal_mode = wal` would then report wal, fail to sync, and keep another mode silently
   * (tested).
   */
  pragma(text: string): unknown {
    return Object.values(this.#db.prepare(`PRAGMA ${text}`).all()[0] ?? {})[0];
  }

  /**
   * Runs `body` in a transaction that takes the write lock at once, so that it cannot fail halfway.
   * @throws StellaError media if the disk is full or failing, internal for everything else; a
   * StellaError of `body` unchanged
   */
  write<T>(action: string, body: () => T): T {
    return this.#write(action, body);
  }

  /**
   * Like `write` without a sync: a power cut may undo it, a crash of the process may not. For
   * leases, which would only be repeated, and for progress: a sync per step would block the service
   * on a slow disk.
   */
  writeLazily<T>(action: string, body: () => T): T {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.#write(action, body);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  #write<T>(action: string, body: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = body();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      // After some errors (disk full) SQLite has rolled back already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error instanceof StellaError ? error : databaseError(action, error);
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #statement(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** exec() reports no error code, only SQLite's text (sqlite3_errstr), so the text decides. */
export function databaseError(action: string, cause: unknown): StellaError {
  const text = messageOf(cause);
  if (/database (table )?is locked/.test(text)) return locked(`${action}: ${text}`, cause);
  const media = /disk is full|disk I\/O error|readonly database|unable to open|i\/o error/.test(
    text,
  );
  return new StellaError(media ? "media" : "internal", `${action}: ${text}`, {
    cause,
    ...(media ? { hint: "free space in the state directory, and look at its disk" } : {}),
  });
}

/** The next try may succeed. */
function locked(text: string, cause: unknown): StellaError {
  return new StellaError("busy", text, {
    cause,
    hint: "ask again when the other program that uses stella.db is done",
    findings: [{ code: "busy", reason: "database_locked" }],
  });
}

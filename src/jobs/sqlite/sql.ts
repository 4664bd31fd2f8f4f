/** node:sqlite with prepared statements by text, transactions, and errors that name the action. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  type ErrorKind,
  kindOf,
  messageOf,
  type Reason,
  StellaError,
} from "../../domain/errors.ts";

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

  /** Runs several statements without values, none of which contains a semicolon. */
  script(sql: string): void {
    for (const one of sql.split(";")) if (one.trim() !== "") this.#db.prepare(one).run();
  }

  /**
   * The value of `PRAGMA text`. All rows are read: after the first one only, `journal_mode = wal`
   * would report wal, fail to sync, and keep another mode silently (tested).
   */
  pragma(text: string): unknown {
    return Object.values(this.#db.prepare(`PRAGMA ${text}`).all()[0] ?? {})[0];
  }

  /**
   * Runs `body` in a transaction that takes the write lock at once, so that it cannot fail halfway.
   * @throws StellaError io if the disk is full or failing, busy if another program has the lock; a
   * StellaError of `body` unchanged
   */
  write<T>(action: string, body: () => T): T {
    try {
      this.run("BEGIN IMMEDIATE");
      const result = body();
      this.run("COMMIT");
      return result;
    } catch (error) {
      // After some errors (disk full) SQLite has rolled back already.
      if (this.#db.isTransaction) this.run("ROLLBACK");
      throw error instanceof StellaError ? error : databaseError(action, error);
    }
  }

  /**
   * Like `write` without a sync: a power cut may undo it, a crash of the process may not. For
   * leases, which would only be repeated, and for progress: a sync per step would block the service
   * on a slow disk.
   */
  writeLazily<T>(action: string, body: () => T): T {
    this.run("PRAGMA synchronous = NORMAL");
    try {
      return this.write(action, body);
    } finally {
      this.run("PRAGMA synchronous = FULL");
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

/** Result codes that are no defects of stella (sqlite.org/rescode.html): the low byte. */
const reasonsOfCodes: Readonly<Record<number, Reason>> = {
  5: "database_locked",
  6: "database_locked",
  8: "read_only",
  10: "medium_failed",
  11: "database_invalid",
  13: "no_space",
  14: "path_unusable",
  26: "database_invalid",
};

/** Only prepared statements report the code: exec() and opening report a text only. */
export function databaseError(action: string, cause: unknown): StellaError {
  const { errcode = 1 } = cause as { errcode?: number };
  const reason = reasonsOfCodes[errcode & 0xff] ?? "defect";
  const hint = hints[kindOf(reason)];
  return new StellaError(reason, `${action}: ${messageOf(cause)}`, { cause, hint });
}

const hints: Partial<Record<ErrorKind, string>> = {
  io: "free space in the state directory, and check its disk",
  busy: "try again when the other program that uses stella.db has ended",
};

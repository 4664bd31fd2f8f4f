/** Unfinished uploads, which an export resumes: same inputs, same blobs. Sessions are opaque. */
import type { Database } from "./sql.ts";

export class Uploads {
  /** @param now milliseconds since 1970 @param maxAge milliseconds after which a session is lost */
  constructor(readonly db: Database, readonly now: () => number, readonly maxAge: number) {}

  /** Keys and sessions of uploads that may still exist. */
  all<Session>(): [string, Session][] {
    const rows = this.db.all("SELECT key, session FROM uploads WHERE at > ?", [
      this.now() - this.maxAge,
    ]);
    return rows.map((row) => [String(row["key"]), JSON.parse(String(row["session"]))]);
  }

  /** Stores `session`, or removes it if undefined. @throws StellaError io */
  put(key: string, session: unknown): void {
    this.db.write("Cannot store the upload", () => {
      this.db.run("DELETE FROM uploads WHERE key = ? OR at <= ?", [key, this.now() - this.maxAge]);
      if (session === undefined) return;
      const values = [key, JSON.stringify(session), this.now()];
      this.db.run("INSERT INTO uploads (key, session, at) VALUES (?, ?, ?)", values);
    });
  }
}

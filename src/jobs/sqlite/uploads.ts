/** Unfinished uploads, which an export resumes: same inputs, same blobs. Sessions are opaque. */
import type { Database } from "./sql.ts";

/** Registries discard uploads, the most common ones after a week. */
const maxAge = 6 * 24 * 3600_000;

export class Uploads {
  /** @param now milliseconds since 1970 */
  constructor(readonly db: Database, readonly now: () => number) {}

  /** Keys and sessions of uploads that may still exist. */
  all<Session>(): [string, Session][] {
    const rows = this.db.all("SELECT key, session FROM uploads WHERE at > ?", [
      this.now() - maxAge,
    ]);
    return rows.map((row) => [String(row["key"]), JSON.parse(String(row["session"]))]);
  }

  /** Stores `session`, or removes it if undefined. @throws StellaError io */
  put(key: string, session: unknown): void {
    this.db.write("Cannot store the upload", () => {
      this.db.run("DELETE FROM uploads WHERE key = ? OR at <= ?", [key, this.now() - maxAge]);
      if (session === undefined) return;
      const values = [key, JSON.stringify(session), this.now()];
      this.db.run("INSERT INTO uploads (key, session, at) VALUES (?, ?, ?)", values);
    });
  }
}

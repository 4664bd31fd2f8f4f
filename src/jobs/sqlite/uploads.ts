/**
 * Uploads that exports have begun and not ended, in the job database: an export that died under one goes on with it when it is run
 * again, because the same inputs make the same blobs. What a session is, is the registry's business; here it is plain data.
 */
import type { Database } from "./sql.ts";

/** Registries throw uploads away, the most common one after a week. */
const maxAge = 6 * 24 * 3600_000;

export class Uploads {
  /** @param now milliseconds since 1970 */
  constructor(readonly db: Database, readonly now: () => number) {}

  /** Key and session of each that may still be there. */
  all<Session>(): [string, Session][] {
    const rows = this.db.all("SELECT key, session FROM uploads WHERE at > ?", [
      this.now() - maxAge,
    ]);
    return rows.map((row) => [String(row["key"]), JSON.parse(String(row["session"]))]);
  }

  /** Keeps `session`, or forgets it where it is undefined. @throws StellaError media */
  put(key: string, session: unknown): void {
    this.db.write("Cannot keep the upload", () => {
      this.db.run("DELETE FROM uploads WHERE key = ? OR at <= ?", [key, this.now() - maxAge]);
      if (session === undefined) return;
      const values = [key, JSON.stringify(session), this.now()];
      this.db.run("INSERT INTO uploads (key, session, at) VALUES (?, ?, ?)", values);
    });
  }
}

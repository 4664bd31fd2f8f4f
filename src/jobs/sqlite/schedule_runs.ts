/** Stores the last runs of schedules in the service's database. */
import type { ScheduleRuns } from "../schedule.ts";
import type { Database } from "./sql.ts";

export class SqliteScheduleRuns implements ScheduleRuns {
  constructor(readonly database: Database) {}

  last(profile: string): number | undefined {
    const row = this.database.one("SELECT last FROM schedules WHERE name = ?", [profile]);
    return row === undefined ? undefined : Number(row["last"]);
  }

  note(profile: string, time: number): void {
    this.database.write("Cannot record the run of a schedule", () => {
      this.database.run("INSERT OR REPLACE INTO schedules VALUES (?, ?)", [profile, time]);
    });
  }

  keepOnly(profiles: readonly string[]): void {
    this.database.write("Cannot remove the runs of other schedules", () => {
      this.database.run(
        "DELETE FROM schedules WHERE name NOT IN (SELECT value FROM json_each(?))",
        [JSON.stringify(profiles)],
      );
    });
  }
}

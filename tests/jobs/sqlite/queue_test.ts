/** The contract of the SQLite queue beyond the common one: it survives its process. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SqliteQueue } from "../../../src/jobs/sqlite/queue.ts";

function withQueues(body: (open: () => SqliteQueue) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "stella-queue-" });
  let [ids, open] = [0, undefined as SqliteQueue | undefined];
  try {
    // Opened again as after the death of the process: the file is all that is left.
    body(() => {
      open?.close();
      const newId = () => `job-${++ids}`;
      return open = new SqliteQueue(join(directory, "stella.db"), { now: () => 1_000, newId });
    });
  } finally {
    open?.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

const asked = { tenant: "lab", profile: "advisories", request: { layout: "archive" } };

Deno.test("an accepted job survives a restart with all options of its request", () => {
  withQueues((open) => {
    const { job } = open().enqueue({ ...asked, idempotencyKey: "k" });
    const queue = open();
    assert.deepEqual(queue.get(job.id), job);
    assert.equal(queue.enqueue({ ...asked, idempotencyKey: "k" }).isNew, false);
  });
});

Deno.test("attempts continue to count after a restart, so that an earlier holder cannot end a job", () => {
  withQueues((open) => {
    open().enqueue(asked);
    const first = open().claim()!;
    const queue = open();
    assert.equal(queue.recover().again[0]?.id, first.id);
    const second = queue.claim()!;
    assert.deepEqual([second.attempt, second.tries], [2, 2]);
    assert.equal(queue.finish(first, { state: "succeeded" }), false);
    assert.equal(queue.finish(second, { state: "succeeded" }), true);
    assert.equal(open().get(first.id)?.state, "succeeded");
  });
});

Deno.test("a claim reads a constant number of rows for any length of the queue", () => {
  withQueues((open) => {
    const queue = open();
    queue.enqueue(asked);
    const plan = (sql: string) =>
      queue.database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row["detail"])).join();
    const ready =
      "FROM jobs INDEXED BY jobs_ready WHERE state = 'queued' AND not_before = 0 AND tenant";
    const steps = [`SELECT seq ${ready} = 'a' ORDER BY seq LIMIT 1`];
    steps.push(`SELECT tenant ${ready} > 'a' ORDER BY tenant LIMIT 1`);
    for (const sql of steps) {
      assert.match(
        plan(sql),
        /^SEARCH jobs USING (COVERING )?INDEX jobs_ready \(tenant[^,]*$/,
        sql,
      );
    }
    assert.match(
      plan("SELECT seq FROM jobs INDEXED BY jobs_later WHERE state = 'queued' AND not_before > 0"),
      /INDEX jobs_later/,
    );
    assert.match(
      plan(
        "SELECT queued_at FROM jobs INDEXED BY jobs_waiting WHERE state = 'queued' ORDER BY queued_at LIMIT 1",
      ),
      /COVERING INDEX jobs_waiting$/,
    );
  });
});

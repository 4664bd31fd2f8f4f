/**
 * A database with flipped bits or a missing tail is either refused by name or opened with the right
 * rows.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../../src/domain/errors.ts";
import type { Job } from "../../../src/jobs/job.ts";
import { SqliteQueue } from "../../../src/jobs/sqlite/queue.ts";

const jobs = 60;

function open(path: string): SqliteQueue {
  let ids = 0;
  return new SqliteQueue(path, { now: () => 1_000, newId: () => `job-${++ids}` });
}

function makeDatabase(path: string): void {
  const queue = open(path);
  for (let n = 0; n < jobs; n++) {
    queue.enqueue({ tenant: `t${n % 3}`, profile: "p", request: { note: "x".repeat(300) } });
  }
  queue.close();
}

/** Every row as it was; an error is the refusal that the operator reads. */
function look(path: string): "sound" | "refused" {
  let queue: SqliteQueue | undefined;
  try {
    queue = open(path);
    const found = queue.list({ limit: 1_000 });
    found.forEach((job: Job, at) => {
      assert.equal(job.id, `job-${jobs - at}`);
      assert.deepEqual(job.request, { note: "x".repeat(300) });
    });
    assert.equal(found.length, jobs);
    return "sound";
  } catch (error) {
    if (!(error instanceof StellaError)) throw error;
    assert.match(error.message, /stella\.db/);
    return "refused";
  } finally {
    queue?.close();
  }
}

function withCopies(body: (fresh: () => Uint8Array, put: (bytes: Uint8Array) => string) => void) {
  const directory = Deno.makeTempDirSync({ prefix: "stella-damage-" });
  try {
    const [whole, path] = [join(directory, "whole.db"), join(directory, "stella.db")];
    makeDatabase(whole);
    body(() => new Uint8Array(readFileSync(whole)), (bytes) => {
      for (const name of ["", "-wal", "-shm"]) rmSync(path + name, { force: true });
      copyFileSync(whole, path);
      writeFileSync(path, bytes);
      return path;
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a flipped bit in the header of a database page is detected or changes no row", () => {
  withCopies((fresh, put) => {
    const pages = fresh().length / 4096;
    let refused = 0;
    for (let page = 0; page < pages; page++) {
      const bytes = fresh();
      // The kind of the page; its first byte, but on the first page, where the file's own header
      // comes before it.
      bytes[page * 4096 + (page === 0 ? 100 : 0)]! ^= 1;
      if (look(put(bytes)) === "refused") refused++;
    }
    assert.ok(refused > pages / 2, `${refused} of ${pages}`);
  });
});

Deno.test("a database truncated at any page is refused, and an empty file is a new database", () => {
  withCopies((fresh, put) => {
    const pages = fresh().length / 4096;
    for (let page = 1; page < pages; page++) {
      assert.equal(look(put(fresh().slice(0, page * 4096))), "refused", `cut after page ${page}`);
    }
    const empty = open(put(new Uint8Array()));
    assert.deepEqual(empty.list({ limit: 9 }), [], "an empty file is an empty queue");
    empty.close();
  });
});

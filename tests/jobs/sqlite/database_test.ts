import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../../src/jobs/sqlite/database.ts";
import { SqliteQueue } from "../../../src/jobs/sqlite/queue.ts";
import { schemaVersion, stepsFrom } from "../../../src/jobs/sqlite/migrations.ts";
import { requiring, tool } from "../../support/needs.ts";

function withDirectory(body: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "stella-database-" });
  try {
    body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a new database is private, uses WAL with a sync at each commit, and has stella's application id", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const db = openDatabase(path);
    db.run(
      "INSERT INTO jobs (id, tenant, profile, request, created_at) VALUES ('a','t','p','{}',1)",
    );
    for (const name of ["stella.db", "stella.db-wal", "stella.db-shm"]) {
      assert.equal(Deno.statSync(join(directory, name)).mode! & 0o777, 0o600, name);
    }
    assert.equal(db.pragma("journal_mode"), "wal");
    assert.equal(db.pragma("synchronous"), 2);
    assert.equal(db.pragma("application_id"), 0x73746c61);
    assert.equal(db.pragma("user_version"), schemaVersion);
    db.close();
    const again = openDatabase(path);
    assert.equal(again.one("SELECT count(*) AS n FROM jobs")?.["n"], 1);
    again.close();
  });
});

Deno.test("a database of a newer version is refused before anything is written", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    openDatabase(path).close();
    const raw = new DatabaseSync(path);
    raw.exec(`PRAGMA journal_mode = delete; PRAGMA user_version = ${schemaVersion + 1}`);
    raw.close();
    const before = Deno.readFileSync(path);
    assert.throws(() => openDatabase(path), {
      kind: "config",
      message: /stella\.db": its schema is \d+, and this version knows \d+/,
      hint: "start the version that wrote it or a newer one",
    });
    const kept = `${path}.schema${schemaVersion}`;
    Deno.writeTextFileSync(kept, "");
    assert.throws(() => openDatabase(path), {
      hint: `start the version that wrote it or a newer one, or put back ${kept}`,
    });
    assert.deepEqual(Deno.readFileSync(path), before);
  });
});

Deno.test("a database of an older version is migrated, and a copy of it is kept", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    // Schema 1, as the first version made it: all steps but the last.
    const [first = ""] = stepsFrom(0).split("ALTER TABLE jobs ADD COLUMN tries");
    const raw = new DatabaseSync(path);
    raw.exec(`${first}; PRAGMA application_id = 1937009761; PRAGMA user_version = 1`);
    raw.exec(`INSERT INTO jobs (id, tenant, profile, request, state, attempt, created_at)
      VALUES ('a', 't', 'p', '{}', 'running', 2, 7)`);
    raw.close();
    const db = openDatabase(path);
    assert.equal(db.pragma("user_version"), schemaVersion);
    const row = db.one("SELECT id, state, attempt, tries, queued_at FROM jobs");
    assert.deepEqual({ ...row }, { id: "a", state: "running", attempt: 2, tries: 2, queued_at: 7 });
    db.close();
    const kept = new DatabaseSync(`${path}.schema1`);
    assert.equal(kept.prepare("SELECT id FROM jobs").get()?.["id"], "a");
    assert.deepEqual({ ...kept.prepare("PRAGMA user_version").get() }, { user_version: 1 });
    kept.close();
    assert.equal(Deno.statSync(`${path}.schema1`).mode! & 0o777, 0o600);
  });
});

Deno.test("bundles of an older version keep their order of request, before all new ones", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const [before = ""] = stepsFrom(0).split("UPDATE jobs SET stored = seq");
    const raw = new DatabaseSync(path);
    raw.exec(`${before}; PRAGMA application_id = 1937009761; PRAGMA user_version = 3`);
    for (const id of ["b", "a"]) {
      raw.exec(`INSERT INTO jobs (id, tenant, profile, request, state, created_at, stored)
        VALUES ('${id}', 't', 'p', '{}', 'succeeded', 7, 1)`);
    }
    raw.close();
    using _ = { [Symbol.dispose]: () => queue.close() };
    const queue = new SqliteQueue(path, { now: () => 1, newId: () => "0" });
    queue.enqueue({ tenant: "t", profile: "p", request: {} });
    queue.finish(queue.claim()!, { state: "succeeded" });
    assert.deepEqual(queue.made("p").map(({ id }) => id), ["b", "a", "0"]);
  });
});

Deno.test("jobs of an older version keep whether a schedule requested them", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const [before = ""] = stepsFrom(0).split("ALTER TABLE jobs ADD COLUMN trigger");
    const raw = new DatabaseSync(path);
    raw.exec(`${before}; PRAGMA application_id = 1937009761; PRAGMA user_version = 4`);
    for (const key of ["NULL", "'k-1'", "'schedule p 2026-01-01T00:00:00.000Z'"]) {
      raw.exec(`INSERT INTO jobs (id, tenant, profile, request, created_at, idempotency_key)
        VALUES (${key === "NULL" ? "'a'" : key}, 't', 'p', '{}', 7, ${key})`);
    }
    raw.close();
    using _ = { [Symbol.dispose]: () => queue.close() };
    const queue = new SqliteQueue(path, { now: () => 1, newId: () => "0" });
    const jobs = queue.list({ limit: 9 }).reverse();
    assert.deepEqual(jobs.map(({ trigger }) => trigger), ["api", "api", "schedule"]);
    assert.deepEqual(jobs.map(({ actor, bytes, sameAs }) => [actor, bytes, sameAs]), [
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ]);
  });
});

Deno.test("creating a missing or empty database needs the caller's consent", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const no = () => {
      throw new Error("it is lost");
    };
    assert.throws(() => openDatabase(path, no), { message: /it is lost/ });
    assert.deepEqual([...Deno.readDirSync(directory)], [], "nothing is made");
    Deno.writeTextFileSync(path, "");
    assert.throws(() => openDatabase(path, no), { message: /it is lost/ });
    assert.equal(Deno.statSync(path).size, 0);
    const raw = new DatabaseSync(path);
    raw.exec("CREATE TABLE t (a); DROP TABLE t");
    raw.close();
    assert.throws(() => openDatabase(path, no), { message: /it is lost/ });
    openDatabase(path).close();
    openDatabase(path, no).close();
  });
});

Deno.test("another program's database is refused", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const raw = new DatabaseSync(path);
    raw.exec("CREATE TABLE bookmarks (url TEXT)");
    raw.close();
    assert.throws(() => openDatabase(path), {
      kind: "config",
      message: /not a database of stella/,
    });
  });
});

Deno.test("a damaged database is refused by name and not replaced", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    const db = openDatabase(path);
    for (let i = 0; i < 200; i++) {
      db.run(
        "INSERT INTO jobs (id, tenant, profile, request, created_at) VALUES (?, 't', 'p', ?, 1)",
        [`job-${i}`, `"${"x".repeat(200)}"`],
      );
    }
    db.close();
    const bytes = Deno.readFileSync(path);
    // The header of every page but the first: the kind of page and its cell count.
    for (let page = 4096; page < bytes.length; page += 4096) bytes.fill(0xff, page, page + 8);
    Deno.writeFileSync(path, bytes);
    assert.throws(() => openDatabase(path), {
      kind: "config",
      message: /stella\.db": (it is damaged|database disk image is malformed)/,
      hint: /move it and store/,
    });
    assert.deepEqual(Deno.readFileSync(path), bytes);
  });
});

Deno.test("a text file is refused as a database", () => {
  withDirectory((directory) => {
    const path = join(directory, "stella.db");
    Deno.writeTextFileSync(path, "this is not a database at all\n".repeat(50));
    assert.throws(() => openDatabase(path), { kind: "config", message: /not a database/ });
  });
});

Deno.test("a failed transaction changes nothing, and the next one works", () => {
  withDirectory((directory) => {
    const db = openDatabase(join(directory, "stella.db"));
    const insert =
      "INSERT INTO jobs (id, tenant, profile, request, created_at) VALUES ('a','t','p','{}',1)";
    assert.throws(() =>
      db.write("Cannot try", () => {
        db.run(insert);
        db.run(insert);
      }), { kind: "defect", message: /^Cannot try: UNIQUE constraint failed/ });
    assert.equal(db.write("Cannot try", () => db.run(insert)), 1);
    db.close();
  });
});

// Full disks and failing syncs, made by strace in a process of its own.
const probe = `
  import { openDatabase } from ${
  JSON.stringify(new URL("../../../src/jobs/sqlite/database.ts", import.meta.url).href)
};
  try {
    const db = openDatabase(Deno.args[0]);
    db.write("Cannot write", () => db.run(
      "INSERT INTO jobs (id, tenant, profile, request, created_at) VALUES ('a','t','p','{}',1)"));
    console.log("wrote", db.pragma("journal_mode"));
  } catch (error) {
    console.log(error.reason, error.message);
  }`;

async function traced(
  directory: string,
  inject: string,
): Promise<{ printed: string; hits: number }> {
  const script = join(directory, "probe.ts");
  const trace = join(directory, "trace");
  Deno.writeTextFileSync(script, probe);
  const path = join(directory, "stella.db");
  const child = new Deno.Command(tool("strace")!, {
    args: [
      ...["-f", "-qq", "-o", trace, "-e", `inject=${inject}`, "-P", path, "-P", `${path}-wal`],
      ...[Deno.execPath(), "run", "-A", "--no-check", "--quiet", "--no-config", script, path],
    ],
    env: { DENO_DIR: "/dev/null/none" },
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout } = await child.output();
  const hits = Deno.readTextFileSync(trace).split("\n").filter((line) =>
    line.includes("(INJECTED)")
  );
  return { printed: new TextDecoder().decode(stdout).trim(), hits: hits.length };
}

Deno.test(requiring(
  ["strace"],
  "a failed sync neither commits nor changes the journal mode",
  async () => {
    const directory = Deno.makeTempDirSync({ prefix: "stella-database-" });
    try {
      const refused: number[] = [];
      for (let n = 1; n <= 5; n++) {
        for (const name of ["stella.db", "stella.db-wal", "stella.db-shm"]) {
          await Deno.remove(join(directory, name)).catch(() => {});
        }
        const { printed, hits } = await traced(directory, `fsync,fdatasync:error=EIO:when=${n}`);
        assert.equal(hits, 1, `the fault ${n} happened`);
        if (/^medium_failed Cannot (open|make|write).*disk I\/O error/.test(printed)) {
          refused.push(n);
        } else {
          // The fifth sync belongs to the checkpoint at the end: what was committed is in the log
          // already.
          assert.equal(printed, "wrote wal");
          const db = openDatabase(join(directory, "stella.db"));
          assert.equal(db.one("SELECT count(*) AS n FROM jobs")?.["n"], 1);
          db.close();
        }
      }
      assert.deepEqual(refused, [1, 2, 3, 4]);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
));

Deno.test(requiring(["strace"], "a full disk is an io error", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "stella-database-" });
  try {
    openDatabase(join(directory, "stella.db")).close();
    const { printed, hits } = await traced(directory, "pwrite64:error=ENOSPC");
    assert.ok(hits > 0, "the fault happened");
    assert.match(printed, /^no_space Cannot write: database or disk is full/);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}));

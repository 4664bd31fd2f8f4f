import assert from "node:assert/strict";
import { openDatabase } from "../../../src/jobs/sqlite/database.ts";
import { Uploads } from "../../../src/jobs/sqlite/uploads.ts";

Deno.test("uploads survive a restart, can be updated and removed, and expire", () => {
  const directory = Deno.makeTempDirSync({ prefix: "stella-uploads-" });
  try {
    let now = 1_000_000;
    const age = 6 * 24 * 3600_000;
    const open = () => new Uploads(openDatabase(`${directory}/stella.db`), () => now, age);
    const first = open();
    first.put("a", { location: "https://r.test/1", offset: 5 });
    first.put("b", { location: "https://r.test/2", offset: 6 });
    first.put("a", { location: "https://r.test/3", offset: 7 });
    first.db.close();
    const second = open();
    assert.deepEqual(second.all(), [
      ["a", { location: "https://r.test/3", offset: 7 }],
      ["b", { location: "https://r.test/2", offset: 6 }],
    ]);
    second.put("b", undefined);
    assert.deepEqual(second.all().map(([key]) => key), ["a"]);
    now += age;
    assert.deepEqual(second.all(), []);
    second.put("c", 1);
    assert.deepEqual(second.db.all("SELECT key FROM uploads").map((row) => row["key"]), ["c"]);
    second.db.close();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

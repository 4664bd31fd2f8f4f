import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Spool } from "../../src/risk/spool.ts";
import { LineSearch } from "../../src/risk/query.ts";

function withSpool(room: number | undefined, body: (spool: Spool, directory: string) => void) {
  const directory = Deno.makeTempDirSync({ prefix: "stella-spool-" });
  try {
    body(new Spool(directory, "run", room), directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Lines in no order, of all lengths, with characters of one to four bytes. */
function lines(count: number): string[] {
  const letters = ["a", "é", "中", "😀", "\t"];
  return Array.from({ length: count }, (_, i) => {
    const key = (i * 7919) % count;
    return `${key}${letters[i % letters.length]!.repeat(i % 50)}`;
  });
}

for (const room of [16, 1000, 100_000, undefined]) {
  Deno.test(`all lines are returned sorted, with room for ${room ?? "all"} bytes`, () => {
    withSpool(room, (spool, directory) => {
      // With room for 16 bytes each line is a file.
      const given = [...lines(room === 16 ? 300 : 2000), "z".repeat(5000), "", "twice", "twice"];
      given.forEach((line) => spool.add(line));
      if (room === 1000) assert.ok(readdirSync(directory).length > 10, "runs were written");
      if (room === undefined) assert.deepEqual(readdirSync(directory), []);
      assert.deepEqual([...spool.sorted()], given.toSorted());
      assert.deepEqual(readdirSync(directory), [], "the runs are gone");
    });
  });
}

Deno.test("runs of long lines are merged a few at a time, in order, and then removed", () => {
  withSpool(1000, (spool, directory) => {
    const given = Array.from({ length: 7 }, (_, i) => `${(i * 5) % 7}${"é".repeat(4_000_000)}`);
    given.forEach((line) => spool.add(line));
    let before = "";
    let count = 0;
    for (const line of spool.sorted()) {
      assert.ok(line > before && line.length === given[0]!.length);
      assert.ok(readdirSync(directory).length <= 4, "no more runs at once than fit");
      before = line;
      count++;
    }
    assert.equal(count, 7);
    assert.deepEqual(readdirSync(directory), []);
  });
});

Deno.test("the sorted runs are removed if the reader stops early", () => {
  withSpool(100, (spool, directory) => {
    lines(500).forEach((line) => spool.add(line));
    for (const _ of spool.sorted()) break;
    assert.deepEqual(readdirSync(directory), []);
  });
});

const line = (id: string, aliases: string[]) =>
  JSON.stringify({ id, aliases, kev: null, epss: null, affected: [], vex: [], sources: [] });
const joined = new TextEncoder().encode(
  [
    line("CVE-2021-0001", ["GHSA-1"]),
    line("CVE-2021-00010", []),
    line("CVE-2021-0002", ["GHSA-1", "ümlaut"]),
    "",
  ].join("\n"),
);

Deno.test("an id is found as id or alias, whatever the block borders", () => {
  for (const size of [1, 2, 7, 64, joined.length]) {
    const found = (id: string) => {
      const search = new LineSearch(id);
      for (let at = 0; at < joined.length; at += size) search.push(joined.slice(at, at + size));
      return search.end().map((one) => one.id);
    };
    assert.deepEqual(found("CVE-2021-0001"), ["CVE-2021-0001"], `pieces of ${size}`);
    assert.deepEqual(found("GHSA-1"), ["CVE-2021-0001", "CVE-2021-0002"]);
    assert.deepEqual(found("cve-2021-0001"), ["CVE-2021-0001"], "in any case");
    assert.deepEqual(found("ghsa-1"), ["CVE-2021-0001", "CVE-2021-0002"]);
    assert.deepEqual(found("CVE-2021-9999"), []);
  }
});

Deno.test("a malformed id is refused before anything is read", () => {
  const long = `a${"1".repeat(200)}`;
  for (const id of ["", "banana", "CVE-1 ", 'x1"', long, "-x1", "4711", "GHSA-2,", "CVE-2021-1"]) {
    assert.throws(() => new LineSearch(id), { kind: "usage", message: /not an id/ }, id);
  }
  for (const id of ["VU#123456", "Example Company - 2025-YH3234", "GHSA-cfgh-jmpq-rvwx"]) {
    new LineSearch(id);
  }
});

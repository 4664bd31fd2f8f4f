/** The newest of several versions of a record counts, with its own date. */
import assert from "node:assert/strict";
import { build, csaf, epss, kev, kevEntry, osv } from "../support/risk_records.ts";

function advisory(status: string, date: string, version: string, more = {}): string {
  const text = csaf("V-1", [{ cve: "CVE-2025-0100", product_status: { [status]: ["P-1"] } }], more);
  const value = JSON.parse(text);
  Object.assign(value.document.tracking, { current_release_date: date, version });
  return JSON.stringify(value);
}

Deno.test("the newest document counts, whichever file comes first", async () => {
  const old = advisory("known_not_affected", "2024-02-01T00:00:00Z", "1");
  const young = advisory("known_affected", "2025-02-01T00:00:00Z", "2");
  for (const [first, second] of [[old, young], [young, old]] as const) {
    const { lines, report } = await build([["csaf", { "a/1.json": first, "b/1.json": second }]]);
    assert.deepEqual(
      lines[0]?.vex.map(({ status, date }) => [Object.keys(status as object), date]),
      [
        [["known_affected"], "2025-02-01T00:00:00Z"],
      ],
    );
    const { records, rejected, superseded, asOf } = report.providers[0]!;
    assert.deepEqual([records, rejected, superseded, asOf], [1, 0, 1, "2025-02-01T00:00:00Z"]);
  }
});

Deno.test("the numerically greater version counts if the dates are equal", async () => {
  const date = "2025-02-01T00:00:00Z";
  for (const [lower, higher] of [["9", "10"], ["1.2.9", "1.10.0"]] as const) {
    const { lines } = await build([["csaf", {
      "a.json": advisory("known_affected", date, higher),
      "b.json": advisory("known_not_affected", date, lower),
    }]]);
    assert.deepEqual(lines[0]?.vex.map(({ status }) => Object.keys(status as object)), [
      ["known_affected"],
    ]);
  }
});

Deno.test("facts that only an older version of a record states are left out", async () => {
  const { lines } = await build([["osv", {
    "a.json": osv("GO-1", { modified: "2024-01-01T00:00:00Z", aliases: ["CVE-2025-0001"] }),
    "b.json": osv("GO-1", { modified: "2025-01-01T00:00:00Z", aliases: ["CVE-2025-0002"] }),
  }]]);
  assert.deepEqual(lines.map(({ id }) => id), ["CVE-2025-0002"]);
});

Deno.test("documents of two publishers with the same id are both kept", async () => {
  const date = "2025-02-01T00:00:00Z";
  const publisher = { category: "vendor", name: "Other", namespace: "https://other.example" };
  const { lines, report } = await build([["csaf", {
    "a.json": advisory("known_not_affected", date, "1"),
    "b.json": advisory("known_affected", date, "1", { publisher }),
  }]]);
  assert.deepEqual(lines[0]?.vex.map(({ record, publisher }) => [record, publisher]), [
    ["V-1", "Maker"],
    ["V-1", "Other"],
  ]);
  assert.deepEqual([report.providers[0]?.records, report.providers[0]?.rejected], [2, 0]);
});

Deno.test("one version with two contents is a bad record, reported with its ids", async () => {
  const date = "2025-02-01T00:00:00Z";
  const files = {
    "a.json": advisory("known_not_affected", date, "1"),
    "b.json": advisory("known_affected", date, "1"),
    "c.json": advisory("known_not_affected", date, "1"),
  };
  await assert.rejects(build([["csaf", files]]), /1 invalid record/);
  const { report, output } = await build([["csaf", files, { onInvalid: "skip" }]]);
  const { records, rejected, duplicates } = report.providers[0]!;
  assert.deepEqual([records, rejected, duplicates], [1, 1, 1]);
  assert.deepEqual(JSON.parse(output["rejected.ndjson"]!), {
    provider: "csaf",
    path: "b.json",
    what: "record",
    reason: "V-1 occurs twice with different content",
    ids: ["CVE-2025-0100"],
  });
});

Deno.test("EPSS of several days: each CVE has its newest score and its date", async () => {
  const day = (date: string, rows: string[]) =>
    epss(rows).replace("score_date:2025-08-24T12:55:00+0000", `score_date:${date}T00:00:00Z`);
  const { lines, report } = await build([["epss", {
    "2026-08-20.csv": day("2026-08-20", ["CVE-2021-0001,0.1,0.5", "CVE-2021-0002,0.2,0.5"]),
    "2026-08-21.csv": day("2026-08-21", ["CVE-2021-0001,0.9,0.5"]),
    "2026-08-19.csv": day("2026-08-19", ["CVE-2021-0001,0.3,0.5", "CVE-2021-0002,0.4,0.5"]),
    "README.md": "carried",
  }]]);
  assert.deepEqual(lines.map(({ epss }) => [epss?.["score"], epss?.["date"]]), [
    [0.9, "2026-08-21"],
    [0.2, "2026-08-20"],
  ]);
  const { records, rejected, superseded, asOf } = report.providers[0]!;
  assert.deepEqual([records, rejected, superseded, asOf], [2, 0, 3, "2026-08-21T00:00:00Z"]);
});

Deno.test("KEV of several days: each entry as the newest catalog has it", async () => {
  const catalog = (released: string, product: string) =>
    kev([kevEntry("CVE-2021-0001", { product })], { dateReleased: released });
  const { lines } = await build([["kev", {
    "1.json": catalog("2025-01-02T00:00:00Z", "new"),
    "2.json": catalog("2025-01-01T00:00:00Z", "old"),
  }]]);
  assert.equal(lines[0]?.kev?.["product"], "new");
});

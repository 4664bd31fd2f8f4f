/** Records as databases publish them, all valid: none of them may be refused. */
import assert from "node:assert/strict";
import { build, csaf, kev, kevEntry, osv } from "../support/risk_records.ts";

Deno.test("document ids are any visible text", async () => {
  const status = { product_status: { fixed: ["P-1"] } };
  const { lines } = await build([["csaf", {
    "a.json": csaf("Example Company - 2025-YH3234", [{ cve: "CVE-2025-0200", ...status }]),
  }]]);
  assert.equal(lines[0]?.sources[0]?.record, "Example Company - 2025-YH3234");
});

Deno.test("null counts as an absent field", async () => {
  const empty = { aliases: null, severity: null, affected: null, withdrawn: null, summary: null };
  const { lines } = await build([["osv", {
    "a.json": osv("GO-1", empty),
    "b.json": osv("GO-2", {
      affected: [{ package: { ecosystem: "Go", name: "m", purl: null }, ranges: null }],
    }),
  }]]);
  assert.deepEqual(lines.map(({ id, affected }) => [id, affected.length]), [["GO-1", 0], [
    "GO-2",
    1,
  ]]);
  assert.deepEqual(lines[0]?.sources, [{ provider: "osv", record: "GO-1" }]);
});

Deno.test("a bad id is skipped, counted and reported; its record is kept", async () => {
  const { lines, report, output } = await build([["osv", {
    "b.json": osv("GHSA-2", { aliases: ["CVE-2025-22222", "GHSA-2,", 7, null] }),
  }]]);
  assert.deepEqual(lines.map(({ id, aliases }) => [id, aliases]), [["CVE-2025-22222", ["GHSA-2"]]]);
  assert.deepEqual([report.providers[0]?.rejected, report.providers[0]?.badIds], [0, 3]);
  const [first] = output["rejected.ndjson"]!.split("\n").map((line) => line && JSON.parse(line));
  assert.deepEqual(first, {
    provider: "osv",
    path: "b.json",
    what: "id",
    reason: 'aliases[1] is not an id: "GHSA-2,"',
    ids: ["GHSA-2", "GHSA-2,"],
  });
});

const yaml = `
id: PYSEC-3
modified: 2025-01-01T00:00:00Z
aliases: [CVE-2025-33333]
withdrawn:
details: |-
  Many
  lines
affected:
- package: {ecosystem: PyPI, name: demo}
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: 0
    - fixed: 1.10
  versions: [1.0, 1e3, "2", yes]
`;

Deno.test("YAML is read, and versions stay strings", async () => {
  const { lines } = await build([["osv", {
    "a.yaml": yaml,
    "b.YML": yaml.replace("PYSEC-3", "PYSEC-4"),
    "c.JSON": osv("GO-4", { aliases: ["CVE-2025-44444"] }),
  }]]);
  assert.deepEqual(lines.map(({ id }) => id), ["CVE-2025-33333", "CVE-2025-44444"]);
  assert.deepEqual(lines[0]?.affected[0], {
    record: "PYSEC-3",
    ecosystem: "PyPI",
    name: "demo",
    ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.10" }] }],
    versions: ["1.0", "1e3", "2", "yes"],
  });
});

const hostileYaml: [string, string, RegExp][] = [
  ["an alias", "id: &a X-1\nmodified: *a\n", /is not YAML: .*alias/],
  [
    "aliases of aliases",
    `a: &a [${"x,".repeat(9)}x]\n` +
    Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${`*${i ? `b${i - 1}` : "a"},`.repeat(9)}]`)
      .join("\n"),
    /is not YAML: .*alias/,
  ],
  ["depth", "[".repeat(100_000), /is not YAML: /],
  ["many marks", "[],".repeat(100_000), /is YAML with more than 200000 marks/],
  ["a large file", `id: X-1\nx: ${"a".repeat(1024 * 1024)}`, /is larger than 1048576 bytes/],
  ["two documents", "id: X-1\n---\nid: X-2\n", /is not YAML: /],
  ["bad UTF-8", "id: \xff", /./],
];
for (const [name, text, expected] of hostileYaml) {
  Deno.test(`YAML with ${name} is a bad record`, async () => {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    await assert.rejects(build([["osv", { "a.yaml": bytes }]]), (error) => {
      const { findings } = error as { findings: { found: string }[] };
      assert.match(findings.map(({ found }) => found).join("\n"), expected);
      return true;
    });
  });
}

Deno.test("unread records are packed, counted and named; other files are only packed", async () => {
  const { report } = await build([["csaf", {
    "2025/a.json": csaf("A", [{ cve: "CVE-2025-0001", product_status: { fixed: ["P-1"] } }]),
    "2025/a.json.asc": "signature",
    "2025/a.json.sha512": "checksum",
    "changes.csv": "a,b",
    "index.txt": "2025/a.json",
    "provider-metadata.json": "{}",
    "all.zip": "PK",
    "b.yaml": "id: B",
  }]]);
  const { files, records, unread } = report.providers[0]!;
  assert.deepEqual([files, records, unread], [8, 1, { files: 2, names: ["all.zip", "b.yaml"] }]);
});

Deno.test("the JSON Schema next to CISA's catalog is not read as a catalog", async () => {
  const { report } = await build([["kev", {
    "known_exploited_vulnerabilities.json": kev([kevEntry("CVE-2025-0001")]),
    "known_exploited_vulnerabilities_schema.json": "{}",
  }]]);
  const { files, records, unread } = report.providers[0]!;
  assert.deepEqual([files, records, unread.files], [2, 1, 0]);
});

Deno.test("all products of a vulnerability are kept when one line cannot hold them", async () => {
  const products = Array.from({ length: 1234 }, (_, i) => `P-${String(i).padStart(4, "0")}`);
  const vulnerability = {
    cve: "CVE-2025-0001",
    product_status: { fixed: products.slice(0, 800), known_affected: products.slice(800) },
  };
  const { lines, report } = await build([["csaf", { "a.json": csaf("A", [vulnerability]) }]]);
  const all = (name: string) =>
    lines[0]?.vex.flatMap(({ status }) => (status as Record<string, string[]>)[name] ?? []);
  assert.deepEqual(all("fixed"), products.slice(0, 800));
  assert.deepEqual(all("known_affected"), products.slice(800));
  assert.deepEqual([report.providers[0]?.records, lines[0]?.sources.length], [1, 1]);
});

Deno.test("a file may be as large as maxRecordBytes", async () => {
  const text = osv("GO-1") + " ".repeat(1000);
  await build([["osv", { "a.json": text }, { maxRecordBytes: text.length }]]);
  await assert.rejects(
    build([["osv", { "a.json": text }, { maxRecordBytes: text.length - 1 }]]),
    (error) => {
      const { findings } = error as { findings: { found: string }[] };
      assert.match(findings[0]?.found ?? "", /is larger than \d+ bytes \(maxRecordBytes\)/);
      return true;
    },
  );
});

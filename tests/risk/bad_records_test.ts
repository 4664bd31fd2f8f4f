import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { ProviderKind } from "../../src/risk/provider.ts";
import {
  build,
  csaf,
  epss,
  type Files,
  goPackage,
  joinedText,
  kev,
  kevEntry,
  osv,
} from "../support/risk_records.ts";

/** The faults as `path:line reason`. */
async function faultsOf(kind: ProviderKind, files: Files): Promise<string[]> {
  const faults: string[] = [];
  await assert.rejects(build([[kind, files]]), (error) => {
    const { kind, findings } = error as { kind: string; findings: Finding[] };
    assert.equal(kind, "usage");
    for (const { path, line, found, reason } of findings) {
      assert.equal(reason, "record_invalid");
      faults.push(`${path}${line === undefined ? "" : `:${line}`} ${found}`);
    }
    return true;
  });
  return faults;
}

interface Finding {
  path: string;
  line?: number;
  found: string;
  reason: string;
}

Deno.test("KEV: every fault of every entry is reported with its location", async () => {
  const { product: _, ...lacking } = kevEntry("CVE-2021-0003");
  const entries = [
    kevEntry("CVE-2021-0001"),
    kevEntry("CVE-21-2", { dateAdded: "2021-02-30", dueDate: "tomorrow", cwes: [7] }),
    lacking,
    "no object",
  ];
  assert.deepEqual(await faultsOf("kev", { "k.json": kev(entries, { count: 5 }) }), [
    "kev/k.json count is not 4, the number of entries",
    "kev/k.json vulnerabilities[1].cveID is not a CVE id",
    "kev/k.json vulnerabilities[1].dateAdded is not a date YYYY-MM-DD",
    "kev/k.json vulnerabilities[1].dueDate is not a date YYYY-MM-DD",
    "kev/k.json vulnerabilities[1].cwes[0] is not a text",
    "kev/k.json vulnerabilities[2].product is missing",
    "kev/k.json vulnerabilities[3] is not an object",
  ]);
});

const files: [string, ProviderKind, Files, RegExp][] = [
  ["no JSON", "kev", { "k.json": "{" }, /kev\/k\.json is not JSON: /],
  [
    "no UTF-8",
    "kev",
    { "k.json": new Uint8Array([0x22, 0xff, 0x22]) },
    /is not JSON: .*(utf-8|encoded)/i,
  ],
  ["another document", "kev", { "k.json": "[]" }, /the file is not an object/],
  [
    "no entries",
    "kev",
    { "k.json": kev([], { vulnerabilities: {} }) },
    /vulnerabilities is not a list/,
  ],
  ["no date", "kev", { "k.json": kev([], { dateReleased: "now" }) }, /dateReleased is not a time/],
  ["no id", "osv", { "o.json": osv("banana") }, /osv\/o\.json id is not an id/],
  ["a tab in its id", "osv", { "o.json": osv("GO\t1") }, /osv\/o\.json id is not an id/],
  [
    "aliases that are no list",
    "osv",
    { "o.json": osv("GO-1", { aliases: "CVE-2021-0001" }) },
    /aliases is not a list/,
  ],
  [
    "no time",
    "osv",
    { "o.json": osv("GO-1", { modified: 7 }) },
    /modified is not a time of RFC 3339/,
  ],
  [
    "an event that says two things",
    "osv",
    {
      "o.json": osv("GO-1", {
        affected: [{ ranges: [{ type: "SEMVER", events: [{ introduced: "0", fixed: "1" }] }] }],
      }),
    },
    /affected\[0\]\.ranges\[0\]\.events\[0\] must have exactly one of introduced/,
  ],
  [
    "a range of no kind",
    "osv",
    {
      "o.json": osv("GO-1", {
        affected: [{ ranges: [{ type: "ANY", events: [{ fixed: "1" }] }] }],
      }),
    },
    /ranges\[0\]\.type is not SEMVER or ECOSYSTEM or GIT/,
  ],
  [
    "a package without an ecosystem",
    "osv",
    { "o.json": osv("GO-1", { affected: [{ package: { name: "x" } }] }) },
    /package\.ecosystem is missing/,
  ],
  [
    "an old CSAF",
    "csaf",
    { "c.json": csaf("A", [{}], { csaf_version: "1.2" }) },
    /csaf_version is not 2\.0 or 2\.1/,
  ],
  [
    "VEX without status",
    "csaf",
    { "c.json": csaf("A", [{ cve: "CVE-2021-0001" }]) },
    /vulnerabilities\[0\]\.product_status is missing/,
  ],
  ["VEX of nothing", "csaf", { "c.json": csaf("A", undefined) }, /vulnerabilities is missing/],
  ["no CSV", "epss", { "e.csv": "x".repeat(9000) }, /:1 the line is longer than 4096 characters/],
  ["an empty CSV", "epss", { "e.csv": "" }, /the header cve,epss,percentile is missing/],
  [
    "cut gzip",
    "epss",
    { "e.gz": gzipSync(epss(["CVE-2021-0001,0.1,0.1"])).subarray(0, 40) },
    /e\.gz is not complete gzip/,
  ],
];
for (const [name, kind, given, expected] of files) {
  Deno.test(`${kind.toUpperCase()}: ${name} is a bad record`, async () => {
    const faults = await faultsOf(kind, given);
    assert.match(faults.join("\n"), expected);
  });
}

Deno.test("EPSS: every bad row is reported with its line", async () => {
  const rows = [
    "CVE-2021-0001,0.5,0.5",
    "CVE-21-1,0.5,0.5",
    "CVE-2021-0003,1.5,-1",
    "CVE-2021-0004,0.5",
    "CVE-2021-0005,0.5,0.5,0.5",
    "CVE-2021-0006,NaN,0x1",
    "CVE-2021-0007,1e-05,1",
  ];
  assert.deepEqual(await faultsOf("epss", { "e.csv": epss(rows) }), [
    "epss/e.csv:4 cve is not a CVE id",
    "epss/e.csv:5 epss is not a number from 0 to 1",
    "epss/e.csv:5 percentile is not a number from 0 to 1",
    "epss/e.csv:6 percentile is not a number from 0 to 1",
    "epss/e.csv:7 there are more than three fields",
    "epss/e.csv:8 epss is not a number from 0 to 1",
    "epss/e.csv:8 percentile is not a number from 0 to 1",
  ]);
});

Deno.test("gzip and plain files, with and without carriage returns, give the same data", async () => {
  const rows = ["CVE-2021-0001,0.5,0.25", "CVE-2021-0002,0.00043,0.1"];
  const plain = await build([["epss", { "e.csv": epss(rows) }]]);
  const packed = await build([["epss", { "e.csv": gzipSync(epss(rows)) }]]);
  const windows = await build([["epss", { "e.csv": epss(rows).replaceAll("\n", "\r\n") }]]);
  assert.equal(joinedText(packed.output), joinedText(plain.output));
  assert.equal(joinedText(windows.output), joinedText(plain.output));
  assert.equal(plain.lines.length, 2);
});

Deno.test("all providers are read, and all their errors reported, before an export is refused", async () => {
  await assert.rejects(
    build([
      ["kev", { "k.json": kev([kevEntry("x")]) }],
      ["osv", { "a.json": "{}", "b.json": osv("GO-1"), "c.json": "7" }],
    ]),
    (error) => {
      const { message, findings } = error as { message: string; findings: Finding[] };
      assert.match(message, /3 invalid records, and no valid record of kev/);
      const paths = findings.map(({ path }) => path);
      assert.deepEqual([...new Set(paths)], ["kev/k.json", "osv-1/a.json", "osv-1/c.json"]);
      return true;
    },
  );
});

Deno.test("skip leaves invalid records out, counts them, and lists them in the bundle", async () => {
  const { report, output, lines } = await build([
    ["kev", { "k.json": kev([kevEntry("CVE-2021-0001"), kevEntry("x", { dueDate: 1 })]) }, {
      onInvalid: "skip",
    }],
    ["osv", {
      "bad.json": "{",
      "good.json": osv("CVE-2021-0002", { affected: [goPackage("m", "1.0.0")] }),
      "README.md": "carried, and no record",
    }, { onInvalid: "skip" }],
  ]);
  assert.deepEqual(report.providers.map(({ records, rejected }) => [records, rejected]), [[1, 1], [
    1,
    1,
  ]]);
  assert.deepEqual(report.providers.map(({ files }) => files), [1, 3]);
  assert.deepEqual(lines.map(({ id }) => id), ["CVE-2021-0001", "CVE-2021-0002"]);
  const rejected = output["rejected.ndjson"]!.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rejected.slice(0, 2), [
    {
      provider: "kev",
      path: "k.json",
      what: "record",
      reason: "vulnerabilities[1].cveID is not a CVE id",
    },
    {
      provider: "kev",
      path: "k.json",
      what: "record",
      reason: "vulnerabilities[1].dueDate is not a date YYYY-MM-DD",
    },
  ]);
  assert.deepEqual([rejected[2].provider, rejected[2].path], ["osv-1", "bad.json"]);
});

Deno.test("a provider without a valid record is refused even if invalid records are skipped", async () => {
  await assert.rejects(
    build([["osv", { "a.json": "{" }, { onInvalid: "skip" }]]),
    /1 invalid record, and no valid record of osv/,
  );
});

import assert from "node:assert/strict";
import {
  build,
  csaf,
  epss,
  goPackage,
  kev,
  kevEntry,
  newest,
  osv,
} from "../support/risk_records.ts";

Deno.test("one line has the data of four providers about one CVE", async () => {
  const { lines, report } = await build([
    ["kev", {
      "kev.json": kev([kevEntry("CVE-2021-0001", { knownRansomwareCampaignUse: "Known" })]),
    }],
    ["osv", {
      "GO-1.json": osv("GO-2021-0001", {
        aliases: ["CVE-2021-0001", "GHSA-aaaa-bbbb-cccc"],
        summary: "It breaks",
        affected: [goPackage("example.com/box", "1.2.3")],
      }),
    }],
    ["epss", { "epss.csv": epss(["CVE-2021-0001,0.97565,0.99999"]) }],
    ["csaf", {
      "a.json": csaf("MK-1", [{
        cve: "CVE-2021-0001",
        product_status: { known_affected: ["P-2", "P-1", "P-1"], fixed: ["P-9"] },
      }]),
    }],
  ]);
  assert.deepEqual(lines, [{
    id: "CVE-2021-0001",
    aliases: ["GHSA-aaaa-bbbb-cccc", "GO-2021-0001"],
    kev: {
      name: "CVE-2021-0001 Vulnerability",
      vendor: "Vendor",
      product: "Product",
      dateAdded: "2021-11-03",
      dueDate: "2022-05-03",
      ransomware: true,
    },
    epss: { score: 0.97565, percentile: 0.99999, date: "2025-08-24" },
    affected: [{
      record: "GO-2021-0001",
      ecosystem: "Go",
      name: "example.com/box",
      ranges: [{ type: "SEMVER", events: [{ introduced: "0" }, { fixed: "1.2.3" }] }],
    }],
    vex: [{
      record: "MK-1",
      publisher: "Maker",
      date: "2024-05-01T10:00:00.500Z",
      status: { fixed: ["P-9"], known_affected: ["Maker Box 1.0", "Maker Box 2.0"] },
    }],
    sources: [
      { provider: "kev", record: "CVE-2021-0001" },
      { provider: "osv-1", record: "GO-2021-0001", summary: "It breaks" },
      { provider: "epss-2", record: "CVE-2021-0001" },
      {
        provider: "csaf-3",
        record: "MK-1",
        category: "csaf_vex",
        title: "Title",
        publisher: "Maker",
        date: "2024-05-01T10:00:00.500Z",
      },
    ],
  }]);
  assert.deepEqual([report.ids, report.joined], [1, 1]);
});

Deno.test("an advisory without a CVE gets it through an alias, else keeps its own id", async () => {
  const { lines } = await build([["osv", {
    "1.json": osv("GO-1", { aliases: ["GHSA-1"] }),
    "2.json": osv("GHSA-1", { aliases: ["CVE-2024-0001"] }),
    "3.json": osv("GO-3", { aliases: ["GHSA-3"] }),
    "4.json": osv("PYSEC-4", { aliases: ["GHSA-3", "GHSA-1"] }),
    "5.json": osv("GO-5"),
  }]]);
  assert.deepEqual(lines.map(({ id, sources }) => [id, ...sources.map((one) => one.record)]), [
    // PYSEC-4 says that GHSA-1 and GHSA-3 are the same, so GO-3 is about CVE-2024-0001 as well.
    ["CVE-2024-0001", "GHSA-1", "GO-1", "GO-3", "PYSEC-4"],
    ["GO-5", "GO-5"],
  ]);
});

Deno.test("an advisory about two CVEs does not merge them and has a line of its own", async () => {
  const { lines } = await build([["osv", {
    "1.json": osv("GO-1", { aliases: ["CVE-2024-0001", "CVE-2024-0002"] }),
    "2.json": osv("GO-2", { aliases: ["CVE-2024-0002"] }),
  }]]);
  assert.deepEqual(lines.map(({ id, aliases }) => [id, aliases]), [
    ["CVE-2024-0001", []],
    ["CVE-2024-0002", ["GO-2"]],
    ["GO-1", []],
  ]);
  const marks = lines.map(({ covers, sources }) => [covers, ...sources.map(({ link }) => link)]);
  assert.deepEqual(marks, [
    [undefined, "several"],
    [undefined, "several", undefined],
    [["CVE-2024-0001", "CVE-2024-0002"], undefined],
  ]);
});

Deno.test("a withdrawn record is reported and affects nothing", async () => {
  const { lines } = await build([["osv", {
    "1.json": osv("CVE-2024-0001", {
      withdrawn: "2024-02-01T00:00:00Z",
      affected: [goPackage("example.com/box", "1.0.0")],
    }),
  }]]);
  assert.deepEqual(lines[0]?.affected, []);
  assert.equal((lines[0]?.sources[0] as { withdrawn?: string }).withdrawn, "2024-02-01T00:00:00Z");
});

Deno.test("a duplicate record counts once, and one with other content under the same id is a bad record", async () => {
  const entry = kevEntry("CVE-2021-0001");
  const { report, lines } = await build([["kev", { "k.json": kev([entry, entry]) }]]);
  const { records, duplicates, rejected } = report.providers[0]!;
  assert.deepEqual([records, duplicates, rejected, lines.length], [1, 1, 0, 1]);
  const other = kevEntry("CVE-2021-0001", { product: "Another" });
  await assert.rejects(build([["kev", { "k.json": kev([entry, other]) }]]), (error) => {
    const [finding] = (error as { findings: { found: string }[] }).findings;
    assert.equal(finding?.found, "CVE-2021-0001 occurs twice with different content");
    return true;
  });
});

Deno.test("the as-of date is the configured one, else the data's own, else the bundle's", async () => {
  const providers = (more = {}) => [
    ["kev", { "k.json": kev([kevEntry("CVE-2021-0001")]) }, more] as const,
    ["osv", { "o.json": osv("GO-1") }, {}] as const,
    ["epss", { "e.csv": epss(["CVE-2021-0001,0.1,0.2"]) }, {}] as const,
    ["csaf", { "c.json": csaf("A", [{ cve: "CVE-2021-0001", product_status: {} }]) }, {}] as const,
  ];
  const dates = async (more = {}, epoch = {}) => {
    const { report } = await build(providers(more).map((one) => [...one]), epoch);
    return report.providers.map((one) => one.asOf);
  };
  const own = [
    "2025-08-25T17:04:19Z",
    "2026-01-02T00:00:00Z",
    "2025-08-24T12:55:00Z",
    "2024-05-01T10:00:00Z",
  ];
  assert.deepEqual(await dates(), own);
  assert.equal((await dates({ asOf: "2020-01-01T00:00:00Z" }))[0], "2020-01-01T00:00:00Z");
  assert.equal((await dates({}, { epoch: newest + 60 }))[1], "2026-01-02T00:01:00Z");
});

Deno.test("the as-of date of OSV records without a time of change is that of the newest publication", async () => {
  const { report } = await build([["osv", {
    "1.json": osv("GO-1", { published: "2022-12-14T18:06:02Z" }),
    "2.json": osv("GO-2", { published: "2021-04-14T20:04:52Z" }),
  }]]);
  assert.equal(report.providers[0]?.asOf, "2022-12-14T18:06:02Z");
});

Deno.test("the provider manifest lists the inputs with the digests of SHA256SUMS", async () => {
  const text = kev([kevEntry("CVE-2021-0001")]);
  const { output } = await build([["kev", { "k.json": text }, { licence: "CC0-1.0" }]]);
  const manifest = JSON.parse(output["providers.json"]!);
  const sum = async (data: string) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(data))).toHex();
  const joined = output["joined/2021-0xxx.ndjson"]!;
  assert.deepEqual(manifest, {
    schemaVersion: 1,
    mediaType: "application/vnd.stella.risk.providers.v1+json",
    created: "2026-01-02T00:00:00Z",
    providers: [{
      name: "kev",
      kind: "kev",
      folder: "originals/kev",
      licence: "CC0-1.0",
      asOf: "2025-08-25T17:04:19Z",
      onInvalid: "fail",
      files: 1,
      bytes: text.length,
      sha256: await sum(`${await sum(text)}  originals/kev/k.json\n`),
      records: 1,
      rejected: 0,
      duplicates: 0,
      superseded: 0,
      badIds: 0,
      links: { alias: 1, several: 0, upstream: 0, related: 0 },
      unread: { files: 0, names: [] },
    }],
    joined: {
      path: "joined",
      ids: 1,
      joined: 0,
      files: 1,
      bytes: joined.length,
      sha256: await sum(`${await sum(joined)}  joined/2021-0xxx.ndjson\n`),
    },
  });
  assert.equal(output["rejected.ndjson"], undefined);
});

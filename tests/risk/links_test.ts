/** Which CVEs a record is linked to, and which not. */
import assert from "node:assert/strict";
import { build, csaf, epss, goPackage, kev, kevEntry, osv } from "../support/risk_records.ts";
import type { Joined } from "../../src/risk/join.ts";

/** `id: record/link ...` for each line. */
function outline(lines: readonly Joined[]): string[] {
  return lines.map(({ id, sources }) => {
    const marks = sources.map(({ record, link }) =>
      link === undefined ? record : `${record}/${link}`
    );
    return `${id}: ${marks.join(" ")}`;
  });
}

Deno.test("a record is found under the CVEs that it names as upstream or related, with its packages", async () => {
  const packages = { affected: [goPackage("demo", "1.2.3")] };
  const { lines, report } = await build([["osv", {
    "1.json": osv("DSA-1-1", { upstream: ["CVE-2025-0001"], ...packages }),
    "2.json": osv("ALSA-2025:1", { related: ["CVE-2025-0001", "CVE-2025-0002"], ...packages }),
    "3.json": osv("GO-1", { aliases: ["CVE-2025-0002"], related: ["CVE-2025-0001"] }),
  }]]);
  assert.deepEqual(outline(lines), [
    "ALSA-2025:1: ALSA-2025:1",
    "CVE-2025-0001: ALSA-2025:1/related DSA-1-1/upstream GO-1/related",
    "CVE-2025-0002: ALSA-2025:1/related GO-1",
    "DSA-1-1: DSA-1-1",
  ]);
  const cve = lines[1];
  assert.deepEqual(cve?.aliases, [], "none of them is another name of the CVE");
  assert.deepEqual(cve?.affected.map(({ record, link }) => [record, link]), [
    ["ALSA-2025:1", "related"],
    ["DSA-1-1", "upstream"],
  ]);
  assert.deepEqual(lines[0]?.sources[0]?.["related"], ["CVE-2025-0001", "CVE-2025-0002"]);
  assert.deepEqual(report.providers[0]?.links, { alias: 1, several: 0, upstream: 1, related: 3 });
});

Deno.test("upstream is followed through records of other systems, and through ids that contain the CVE", async () => {
  const { lines } = await build([["osv", {
    "1.json": osv("USN-1", { upstream: ["UBUNTU-CVE-2025-0001", "GHSA-1"] }),
    "2.json": osv("UBUNTU-CVE-2025-0001", { upstream: ["CVE-2025-0001"] }),
    "3.json": osv("GHSA-1", { aliases: ["CVE-2025-0002"] }),
    "4.json": osv("DEBIAN-CVE-2025-0003"),
    "5.json": osv("DLA-1", { upstream: ["DSA-9"] }),
    "6.json": osv("DSA-9", { upstream: ["CVE-2025-0004"] }),
    "7.json": osv("MINT-1", { upstream: ["DLA-1"] }),
    "8.json": osv("RING-1", { upstream: ["RING-2"] }),
    "9.json": osv("RING-2", { upstream: ["RING-1"] }),
  }]]);
  assert.deepEqual(outline(lines).filter((line) => line.startsWith("CVE")), [
    "CVE-2025-0001: UBUNTU-CVE-2025-0001/upstream USN-1/upstream",
    "CVE-2025-0002: GHSA-1 USN-1/upstream",
    "CVE-2025-0003: DEBIAN-CVE-2025-0003/upstream",
    "CVE-2025-0004: DLA-1/upstream DSA-9/upstream MINT-1/upstream",
  ]);
});

Deno.test("a record of several CVEs links no other id to them", async () => {
  const ghsas = ["GHSA-aaaa-bbbb-0001", "GHSA-aaaa-bbbb-0002"];
  const { lines } = await build([["osv", {
    "1.json": osv("GO-1", { aliases: ["CVE-2025-0001", "CVE-2025-0002", ...ghsas] }),
    "2.json": osv("PYSEC-1", { aliases: [ghsas[0]] }),
    "3.json": osv("PYSEC-2", { aliases: ["GO-1"] }),
    "4.json": osv("DSA-1", { upstream: ["GO-1"] }),
    "5.json": osv("DSA-2", { upstream: [ghsas[0]] }),
  }]]);
  assert.deepEqual(outline(lines), [
    "CVE-2025-0001: DSA-1/upstream GO-1/several",
    "CVE-2025-0002: DSA-1/upstream GO-1/several",
    "DSA-1: DSA-1",
    "DSA-2: DSA-2",
    "GO-1: GO-1",
    "PYSEC-1: PYSEC-1",
    "PYSEC-2: PYSEC-2",
  ]);
  assert.deepEqual(lines[4]?.covers, ["CVE-2025-0001", "CVE-2025-0002", ...ghsas]);
});

Deno.test("ids are case-insensitive, and a CVE is written in upper case", async () => {
  const { lines } = await build([["osv", {
    "1.json": osv("GO-1", { aliases: [" cve-2025-0001 ", "ghsa-1"] }),
    "2.json": osv("PYSEC-1", { aliases: ["GHSA-1"] }),
  }]]);
  assert.deepEqual(outline(lines), ["CVE-2025-0001: GO-1 PYSEC-1"]);
});

Deno.test("a CVE in rows and documents is matched in any case, as in advisories", async () => {
  const text = { ids: [{ system_name: "GitHub", text: "ghsa-aaaa-bbbb-0001" }] };
  const { lines, report } = await build([
    ["kev", { "k.json": kev([kevEntry("cve-2025-0001")]) }],
    ["epss", { "e.csv": epss(["cve-2025-0001,0.5,0.9", "Cve-2025-0002,0.1,0.2"]) }],
    ["csaf", {
      "a.json": csaf("A-1", [{ cve: "cve-2025-0001", ...text, ...fixed }]),
      "b.json": csaf("B-1", [{ ...ids("Maker", "cve-2025-0002"), ...fixed }]),
    }],
  ]);
  assert.deepEqual(outline(lines), [
    "CVE-2025-0001: CVE-2025-0001 CVE-2025-0001 A-1",
    "CVE-2025-0002: CVE-2025-0002 B-1",
  ]);
  assert.deepEqual(lines.map(({ kev, epss }) => [kev !== null, epss?.["score"]]), [
    [true, 0.5],
    [false, 0.1],
  ]);
  assert.deepEqual(lines.map(({ aliases }) => aliases), [["ghsa-aaaa-bbbb-0001"], []]);
  assert.deepEqual(report.providers.map(({ rejected }) => rejected), [0, 0, 0]);
});

const other = { publisher: { category: "vendor", name: "Other", namespace: "https://o.example" } };
const ids = (system: string, text: string) => ({ ids: [{ system_name: system, text }] });
const fixed = { product_status: { fixed: ["P-1"] } };

Deno.test("a numeric id is qualified by its system, a name is not", async () => {
  const { lines } = await build([["csaf", {
    "a.json": csaf("A-1", [{ cve: "CVE-2025-0001", ...ids("Bugzilla", "4711"), ...fixed }]),
    "b.json": csaf("B-1", [{ ...ids("Tracker of B", "4711"), ...fixed }], other),
    "c.json": csaf("C-1", [{ ...ids("Bugzilla", "4711"), ...fixed }], other),
    "d.json": csaf("D-1", [{ ...ids("Bugzilla", "4711"), ...fixed }]),
    "e.json": csaf("E-1", [{ cve: "CVE-2025-0002", ...ids("CERT/CC", "VU#123456"), ...fixed }]),
    "f.json": csaf("F-1", [{ ...ids("CERT/CC", "VU#123456"), ...fixed }], other),
    "g.json": csaf("G-1", [{ ...ids("CERT/CC", "VU#7"), ...fixed }]),
  }]]);
  assert.deepEqual(outline(lines), [
    "Bugzilla 4711: C-1",
    "CERT/CC VU#7: G-1",
    "CVE-2025-0001: A-1 D-1",
    "CVE-2025-0002: E-1 F-1",
    "Tracker of B 4711: B-1",
  ]);
  assert.deepEqual(lines[1]?.aliases, ["VU#7"]);
  assert.deepEqual(lines[3]?.aliases, ["CERT/CC VU#123456", "VU#123456"]);
});

Deno.test("a document's vulnerability that mentions a second CVE does not make the two aliases", async () => {
  const second = [{ system_name: "Red Hat", text: "CVE-2025-0002" }, {
    system_name: "GitHub",
    text: "GHSA-aaaa-bbbb-0001",
  }];
  const { lines } = await build([["csaf", {
    "a.json": csaf("A-1", [{ cve: "CVE-2025-0001", ids: second, ...fixed }]),
  }]]);
  assert.deepEqual(lines.map(({ id, aliases }) => [id, aliases]), [
    ["CVE-2025-0001", []],
    ["CVE-2025-0002", []],
  ]);
});

Deno.test("products of the same name are distinguished by id where their states differ", async () => {
  const names = ["P-1", "P-2", "P-3"].map((product_id) => ({
    product_id,
    name: product_id === "P-3" ? "Other" : "Box",
  }));
  const status = { known_not_affected: ["P-1", "P-3"], known_affected: ["P-2"], fixed: ["P-3"] };
  const document = JSON.parse(csaf("A-1", [{ cve: "CVE-2025-0001", product_status: status }]));
  document.product_tree = { full_product_names: names };
  const { lines } = await build([["csaf", { "a.json": JSON.stringify(document) }]]);
  assert.deepEqual(lines[0]?.vex[0]?.["status"], {
    fixed: ["Other"],
    known_affected: ["Box (P-2)"],
    known_not_affected: ["Box (P-1)", "Other"],
  });
});

Deno.test("a vulnerability without an id is found by its document's id and publisher", async () => {
  const { lines } = await build([["csaf", {
    "a.json": csaf("A-1", [{ title: "no CVE yet", ...fixed }, { title: "another", ...fixed }]),
    "b.json": csaf("A-1", [{ title: "no CVE yet", ...fixed }], other),
  }]]);
  assert.deepEqual(outline(lines), [
    "https://maker.example A-1: A-1 A-1",
    "https://o.example A-1: A-1",
  ]);
  assert.deepEqual(lines.map(({ aliases }) => aliases), [["A-1"], ["A-1"]]);
});

Deno.test("rejected CVEs and withdrawn records are marked", async () => {
  const note = (text: string) => ({ notes: [{ category: "description", text }] });
  const { lines } = await build([
    ["osv", {
      "1.json": osv("GO-1", { aliases: ["CVE-2025-0001"], details: "** REJECT ** DO NOT USE" }),
      "2.json": osv("GO-2", { aliases: ["CVE-2025-0001"], withdrawn: "2025-01-01T00:00:00Z" }),
      "3.json": osv("GO-3", { aliases: ["CVE-2025-0001"], details: "Rejected requests hang." }),
    }],
    ["csaf", {
      "a.json": csaf("A", [{
        cve: "CVE-2025-0001",
        ...fixed,
        ...note("Rejected reason: not a vulnerability"),
      }]),
    }],
  ]);
  const printed = lines[0]?.sources.map((
    { record, rejected, withdrawn },
  ) => [record, rejected, withdrawn]);
  assert.deepEqual(printed, [
    ["GO-1", true, undefined],
    ["GO-2", undefined, "2025-01-01T00:00:00Z"],
    ["GO-3", undefined, undefined],
    ["A", true, undefined],
  ]);
});

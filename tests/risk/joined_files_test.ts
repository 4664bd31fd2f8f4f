/** Which file a joined line is in; a change of one record changes one file. */
import assert from "node:assert/strict";
import { pathFault } from "../../src/domain/paths.ts";
import { isJoinedFile, joinedFileOf } from "../../src/risk/joined_files.ts";
import { RiskQuery } from "../../src/risk/query.ts";
import { build, epss, kev, kevEntry, osv } from "../support/risk_records.ts";

const encoder = new TextEncoder();

const names: Record<string, string> = {
  "CVE-2026-0001": "2026-0xxx",
  "CVE-2026-1234": "2026-1xxx",
  "CVE-2026-12345": "2026-12xxx",
  "CVE-1999-0001": "1999-0xxx",
  "CVE-2026-1234567": "2026-other",
  "CVE-0001-1234": "other",
  "GO-2022-0123": "GO-2022-0xxx",
  "MAL-2026-7": "MAL-2026-0xxx",
  "RHSA-2021:5186": "RHSA-2021-5xxx",
  "openSUSE-SU-2021:0012-1": "OPENSUSE-SU-2021-0xxx",
  "cisco-sa-20180328-smi2": "other",
  "GHSA-jfh8-c2jp-5v3q": "other",
  "../../2021-0001": "other",
  "é 2021-1": "other",
};

for (const [id, name] of Object.entries(names)) {
  Deno.test(`the line of ${id} is in ${name}.ndjson`, () => {
    assert.equal(joinedFileOf(id), name);
    const path = `joined/${name}.ndjson`;
    assert.ok(isJoinedFile(path));
    assert.equal(pathFault(path), undefined);
  });
}

Deno.test("joined lines are written file by file, sorted, for ids in any order", async () => {
  const ids = ["1000", "10000", "1001", "10001", "1002", "2000", "0999"].map((n) =>
    `CVE-2026-${n}`
  );
  const { output, report } = await build([["epss", {
    "e.csv": epss(ids.map((id) => `${id},0.1,0.2`)),
  }]]);
  const idsIn = (path: string) =>
    output[path]!.trim().split("\n").map((line) => JSON.parse(line).id as string);
  assert.deepEqual(Object.keys(output).filter(isJoinedFile), [
    "joined/2026-0xxx.ndjson",
    "joined/2026-10xxx.ndjson",
    "joined/2026-1xxx.ndjson",
    "joined/2026-2xxx.ndjson",
  ]);
  assert.deepEqual(idsIn("joined/2026-10xxx.ndjson"), ["CVE-2026-10000", "CVE-2026-10001"]);
  assert.deepEqual(idsIn("joined/2026-1xxx.ndjson"), [
    "CVE-2026-1000",
    "CVE-2026-1001",
    "CVE-2026-1002",
  ]);
  const { joined } = JSON.parse(output["providers.json"]!);
  assert.deepEqual([report.ids, joined.files], [ids.length, 4]);
});

Deno.test("one changed record changes one file of joined lines", async () => {
  const files = (fixed: string) => ({
    "1.json": osv("GO-2025-0001", { aliases: ["CVE-2025-1001"], summary: "same" }),
    "2.json": osv("GO-2026-0002", { aliases: ["CVE-2026-2001"], summary: fixed }),
  });
  const catalog = kev([kevEntry("CVE-2025-1001"), kevEntry("CVE-2026-2001")]);
  const one = await build([["osv", files("before")], ["kev", { "k.json": catalog }]]);
  const two = await build([["osv", files("after")], ["kev", { "k.json": catalog }]]);
  const changed = Object.keys(two.output).filter((path) => two.output[path] !== one.output[path]);
  assert.deepEqual(changed, ["joined/2026-2xxx.ndjson", "providers.json"]);
});

Deno.test("a query reads every file of joined lines, and the single one of earlier versions", () => {
  const line = (id: string, alias: string) =>
    `{"id":"${id}","aliases":["${alias}"],"kev":null,"epss":null,"affected":[],"vex":[],` +
    `"sources":[{"provider":"osv","record":"${alias}"}]}`;
  const answers = (files: [path: string, text: string][], id: string) => {
    const query = new RiskQuery(id);
    for (const [path, text] of files) query.take(path)?.(encoder.encode(text));
    return query.end()?.lines.map((one) => one.id);
  };
  const [one, two] = [line("CVE-2025-1001", "GHSA-jfh8-c2jp-5v3q"), line("CVE-2026-1001", "GO-1")];
  const split: [string, string][] = [
    // Without its line feed: the next file still begins a new line.
    ["joined/2025-1xxx.ndjson", one],
    ["joined/2026-1xxx.ndjson", `${two}\n`],
  ];
  assert.deepEqual(answers(split, "GHSA-jfh8-c2jp-5v3q"), ["CVE-2025-1001"]);
  assert.deepEqual(answers(split, "cve-2026-1001"), ["CVE-2026-1001"]);
  assert.deepEqual(answers(split, "CVE-2024-0001"), []);
  const before: [string, string][] = [["joined.ndjson", `${one}\n${two}\n`]];
  assert.deepEqual(answers(before, "GO-1"), ["CVE-2026-1001"]);
  assert.equal(answers([["joined/notes.txt", ""], ["other/joined.ndjson", ""]], "GO-1"), undefined);
});

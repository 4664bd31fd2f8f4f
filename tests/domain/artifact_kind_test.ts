import assert from "node:assert/strict";
import { ArtifactCount, artifactKind } from "../../src/domain/artifact_kind.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const cases: [string, string, string][] = [
  ["osv", "GHSA-x.json", '{\n  "schema_version": "1.4.0",\n  "id": "GHSA-x",'],
  ["osv", "PYSEC-1.json", '{"id":"PYSEC-1","details":"Known flaw","aliases":["CVE-2024-1"]'],
  ["osv", "MAL-1.json", '{"modified":"0001-01-01T00:00:00Z","id":"MAL-1",'],
  [
    "kev",
    "known.json",
    '{"title":"CISA Catalog of Known Exploited Vulnerabilities","catalogVersion":"2025.08.25"',
  ],
  ["epss", "epss.csv", "#model_version:v2025.03.14,score_date:2025-08-25\ncve,epss,percentile\n"],
  ["csaf", "rhsa.json", '{"document":{"category":"csaf_security_advisory","csaf_version":"2.0"'],
  [
    "vex",
    "cve.json",
    '{"document":{"aggregate_severity":{},"category":"csaf_vex","csaf_version":"2.0"',
  ],
  ["vex", "a.openvex.json", '{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]'],
  ["cyclonedx", "bom.json", '{"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json",'],
  ["cyclonedx", "bom.cdx.json", '{"bomFormat": "CycloneDX","specVersion":"1.5"'],
  [
    "cyclonedx",
    "bom.xml",
    '<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6">',
  ],
  ["spdx", "a.spdx.json", '{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3"'],
  ["spdx", "a.spdx", "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0"],
  ["spdx", "b.json", '{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"'],
  ["other", "package.json", '{"name":"x","id":1,"version":"1.0.0"}'],
  ["other", "list.json", "[1, 2, 3]"],
  ["other", "note.txt", '{"bomFormat":"CycloneDX"}'],
  ["other", "bad.json", "\u0000\u00ff"],
];
for (const [kind, path, text] of cases) {
  Deno.test(`${path} is ${kind}`, () => assert.equal(artifactKind(path, encode(text)), kind));
}

Deno.test("only the first bytes of a file are inspected, so that a long file costs no more than a short one", () => {
  assert.equal(
    artifactKind("a.json", encode(" ".repeat(5_000) + '{"bomFormat":"CycloneDX"}')),
    "other",
  );
});

Deno.test("files are counted by kind", () => {
  const count = new ArtifactCount();
  for (const [, path, text] of cases) count.add(path, encode(text));
  assert.deepEqual(count.counts, {
    osv: 3,
    kev: 1,
    epss: 1,
    csaf: 1,
    vex: 2,
    cyclonedx: 3,
    spdx: 3,
    other: 4,
  });
});

import assert from "node:assert/strict";
import { encodeStatement, type Provenance } from "../../src/attest/statement.ts";

const digest = "a".repeat(64);
const provenance: Provenance = {
  bundleDigest: digest,
  registryManifest: "b".repeat(64),
  version: "0.1.0",
  parameters: {
    profile: "kit",
    tenant: "default",
    compression: "zstd",
    layout: "archive",
    volumeSize: 8388608,
    created: "2026-01-01T00:00:00Z",
  },
  sources: [{ name: "osv", sha256: "c".repeat(64) }],
};

function decoded(p: Provenance) {
  return JSON.parse(new TextDecoder().decode(encodeStatement(p)));
}

Deno.test("the statement is an in-toto Statement v1 with the fields that SLSA provenance v1 requires", () => {
  assert.deepEqual(decoded(provenance), {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: "manifest.json", digest: { sha256: digest } },
      { name: "registry-manifest", digest: { sha256: "b".repeat(64) } },
    ],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:stella:bundle:v1",
        externalParameters: provenance.parameters,
        internalParameters: {},
        resolvedDependencies: [{ name: "osv", digest: { sha256: "c".repeat(64) } }],
      },
      runDetails: {
        builder: { id: "urn:stella", version: { stella: "0.1.0" } },
        metadata: { invocationId: digest },
      },
    },
  });
});

Deno.test("a directory bundle has no registry subject, and a whole archive no volume size", () => {
  const { registryManifest: _, ...rest } = provenance;
  const { volumeSize: __, ...parameters } = provenance.parameters;
  const statement = decoded({ ...rest, parameters });
  assert.deepEqual(statement.subject.map((s: { name: string }) => s.name), ["manifest.json"]);
  assert.ok(!("volumeSize" in statement.predicate.buildDefinition.externalParameters));
});

Deno.test("unknown input fields are not copied into the statement", () => {
  const stray = { ...provenance, parameters: { ...provenance.parameters, input: "/home/me" } };
  assert.ok(!new TextDecoder().decode(encodeStatement(stray)).includes("/home/me"));
});

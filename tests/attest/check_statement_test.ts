/** A valid signature is not enough: the signed statement has to be about this manifest. */
import assert from "node:assert/strict";
import { checkAttestation } from "../../src/attest/check/check.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { makeBundle, type Recipe, testKey } from "../support/bundle_fixture.ts";

const key = testKey("maker");
const malformed = "signature malformed";
const subject = "signature subject_mismatch";

/** Code and reason of each finding about an attestation with this statement. */
function check(statement: Recipe["statement"], keys = [key.trusted]): string[] {
  const { files } = makeBundle({ key, statement: statement! });
  const [bytes, manifest] = [files.get(attestationName)!, files.get(manifestName)!];
  const { findings } = checkAttestation(attestationName, bytes, manifest, keys);
  return findings.map((f) => `${f.kind} ${f.reason}`);
}

const statements: [string, Recipe["statement"], string][] = [
  [
    "another manifest",
    (s) => ({ ...s, subject: [{ ...s.subject[0], digest: { sha256: sha256("x") } }] }),
    subject,
  ],
  ["an upper case digest", (s) => {
    s.subject[0].digest.sha256 = s.subject[0].digest.sha256.toUpperCase();
    return s;
  }, subject],
  ["no subject", (s) => ({ ...s, subject: [] }), subject],
  ["subjects that are no list", (s) => ({ ...s, subject: s.subject[0] }), subject],
  [
    "two manifests, ours first",
    (s) => ({
      ...s,
      subject: [s.subject[0], { name: manifestName, digest: { sha256: sha256("x") } }],
    }),
    subject,
  ],
  [
    "two manifests, ours last",
    (s) => ({ ...s, subject: [{ name: manifestName, digest: {} }, s.subject[0]] }),
    subject,
  ],
  ["two manifests, both ours", (s) => ({ ...s, subject: [s.subject[0], s.subject[0]] }), subject],
  [
    "a subject with another name",
    (s) => ({ ...s, subject: [{ ...s.subject[0], name: "manifest.json.old" }] }),
    subject,
  ],
  [
    "a digest that is an object",
    (s) => ({ ...s, subject: [{ name: manifestName, digest: { sha256: {} } }] }),
    subject,
  ],
  [
    "a digest that is a list of objects",
    (s) => ({ ...s, subject: [{ name: manifestName, digest: { sha256: [{}] } }] }),
    subject,
  ],
  ["no digest", (s) => ({ ...s, subject: [{ name: manifestName }] }), subject],
  [
    "another algorithm's digest",
    (s) => ({
      ...s,
      subject: [{ name: manifestName, digest: { sha512: s.subject[0].digest.sha256 } }],
    }),
    subject,
  ],
  ["a subject that is null", (s) => ({ ...s, subject: [null] }), subject],
  [
    "another predicate",
    (s) => ({ ...s, predicateType: "https://slsa.dev/provenance/v0.2" }),
    "signature predicate_type",
  ],
  ["no predicate type", (s) => ({ ...s, predicateType: undefined }), "signature predicate_type"],
  ["a statement v0.1", (s) => ({ ...s, _type: "https://in-toto.io/Statement/v0.1" }), malformed],
  ["no type", (s) => ({ ...s, _type: undefined }), malformed],
  ["no JSON", () => "ceci n'est pas une statement", malformed],
  ["nothing", () => "", malformed],
  ["an array", (s) => [s], malformed],
  ["null", () => "null", malformed],
  [
    "a duplicate key",
    (s) => JSON.stringify(s).replace('{"_type"', `{"_type":"x","_type"`),
    malformed,
  ],
  ["a float", (s) => ({ ...s, predicate: { x: 1.5 } }), malformed],
];

Deno.test("a valid signature over the wrong statement is refused (CVE-2026-39395, CVE-2022-35929)", () => {
  for (const [about, statement, expected] of statements) {
    assert.deepEqual(check(statement), [expected], about);
    assert.deepEqual(check(statement, []), [expected], `${about}: by a stranger it is no better`);
  }
});

Deno.test("additional subjects, algorithms and fields of the statement are accepted", () => {
  const more = check((s) => ({
    ...s,
    subject: [{ name: "x", digest: { sha1: "y" } }, { ...s.subject[0], annotations: {} }],
    more: null,
  }));
  assert.deepEqual(more, []);
});

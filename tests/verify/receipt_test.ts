/** The receipt: which bytes were verified, by whom, with which outcome; of a refusal too. */
import assert from "node:assert/strict";
import { type Finding, StellaError } from "../../src/domain/errors.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { attestationName, hmacName, manifestName } from "../../src/bundle/manifest.ts";
import type { BundleSource } from "../../src/bundle/source.ts";
import {
  encodeReceipt,
  readReceipt,
  type ReceiptFacts,
  watchProofs,
} from "../../src/verify/receipt.ts";
import type { Verdict } from "../../src/verify/verdict.ts";
import { attest } from "../../src/attest/sign/signer.ts";
import { memorySource, testKey } from "../support/bundle_fixture.ts";

const [manifest, proof] = ["1".repeat(64), "2".repeat(64)];

const bundle: NonNullable<Verdict["bundle"]> = {
  profile: "p",
  tenant: "t",
  bundleDigest: manifest!,
  created: "2026-01-01T00:00:00Z",
  sequence: 42,
  state: "3".repeat(64),
  files: 2,
  bytes: 20,
  tool: { name: "stella", version: "0.1.0", commit: "c" },
};

const verified: Verdict = {
  ok: true,
  code: 0,
  verdict: "verified",
  bundle,
  signer: { keyid: "k", name: "officer" },
  filesVerified: 2,
  findings: [],
};

// deno-lint-ignore no-explicit-any -- a statement, looked into
function receipt(more: Partial<ReceiptFacts> = {}): any {
  const bytes = encodeReceipt({
    digests: new Map([[manifestName, manifest!], [attestationName, proof!]]),
    outcome: verified,
    time: "2026-02-03T04:05:06.000Z",
    build: { version: "0.1.0", commit: "c" },
    integrityOnly: false,
    trustFromMedia: false,
    ...more,
  });
  return bytes && JSON.parse(new TextDecoder().decode(bytes));
}

Deno.test("a receipt is a verification summary about the manifest's bytes", () => {
  assert.deepEqual(receipt(), {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: manifestName, digest: { sha256: manifest } }],
    predicateType: "https://slsa.dev/verification_summary/v1",
    predicate: {
      verifier: { id: "urn:stella", version: { stella: "0.1.0", commit: "c" } },
      timeVerified: "2026-02-03T04:05:06.000Z",
      resourceUri: `urn:stella:bundle:sha256:${manifest}`,
      policy: { uri: "urn:stella:policy:trusted-signer:v1" },
      inputAttestations: [{ uri: attestationName, digest: { sha256: proof } }],
      verificationResult: "PASSED",
      verifiedLevels: ["STELLA_TRUSTED_SIGNER"],
      slsaVersion: "1.0",
      "urn:stella:receipt:v1": {
        verdict: "verified",
        code: 0,
        bundle,
        signer: { keyid: "k", name: "officer" },
        filesVerified: 2,
        findings: 0,
        firstFindings: [],
      },
    },
  });
});

Deno.test("the verdict names --integrity-only and --trust-from-media", () => {
  const outcome: Verdict = { ...verified, verdict: "integrity-only" };
  const { predicate } = receipt({ outcome, integrityOnly: true, trustFromMedia: true });
  assert.equal(predicate.policy.uri, "urn:stella:policy:integrity-only:v1");
  assert.deepEqual(predicate.verifiedLevels, ["STELLA_INTEGRITY"]);
  assert.equal(predicate["urn:stella:receipt:v1"].trustFromMedia, true);
});

Deno.test("a receipt of a refusal has the first findings and the exit code", () => {
  const finding: Finding = {
    kind: "differs",
    reason: "digest_mismatch",
    path: "a",
    range: [0, 9],
    found: "x",
    expected: "y",
    hint: "copy it again",
  };
  const { bundle: _, signer: __, ...rest } = verified;
  const outcome: Verdict = {
    ...rest,
    ok: false,
    code: 7,
    verdict: "refused",
    claimedKeyid: "somebody",
    findings: Array.from({ length: 101 }, () => finding),
  };
  const { predicate } = receipt({ outcome });
  assert.equal(predicate.verificationResult, "FAILED");
  assert.deepEqual(predicate.verifiedLevels, ["FAILED"]);
  const details = predicate["urn:stella:receipt:v1"];
  assert.deepEqual([details.verdict, details.code, details.findings], ["refused", 7, 101]);
  assert.equal(details.claimedKeyid, "somebody");
  assert.ok(!("signer" in details) && !("bundle" in details));
  assert.equal(details.firstFindings.length, 100);
  const { hint: ___, kind: ____, ...shown } = finding;
  assert.deepEqual(details.firstFindings[0], { ...shown, code: 7 });
});

Deno.test("a verification that ends without a verdict counts as a failure with its error", () => {
  const { predicate } = receipt({ outcome: new StellaError("medium_failed", "Cannot read a") });
  assert.equal(predicate.verificationResult, "FAILED");
  assert.deepEqual(predicate["urn:stella:receipt:v1"], {
    verdict: "refused",
    code: 12,
    error: "Cannot read a",
  });
});

Deno.test("no receipt is made without a manifest", () => {
  assert.equal(receipt({ digests: new Map([[attestationName, proof!]]) }), undefined);
});

const proofs = { [manifestName]: "{}", [attestationName]: "signed", [hmacName]: "sealed" };

async function readAll(source: BundleSource, path: string): Promise<string> {
  const reader = await source.open(path);
  const buffer = new Uint8Array(2);
  let text = "";
  for (let n = await reader!.read(buffer); n > 0; n = await reader!.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, n));
  }
  reader!.close();
  return text;
}

Deno.test("a receipt has the digests of the manifest and proofs as they were read", async () => {
  const encode = new TextEncoder();
  const all = Object.entries({ ...proofs, SHA256SUMS: "lines" });
  const { source, digests } = watchProofs(
    memorySource(new Map(all.map(([path, text]) => [path, encode.encode(text)]))),
  );
  for (const [path, text] of all) assert.equal(await readAll(source, path), text);
  assert.equal(await source.open("absent"), undefined);
  const expected = Object.entries(proofs).map(([path, text]) => [path, sha256(text)]);
  assert.deepEqual([...digests()], expected);
  assert.deepEqual([...digests()], expected, "they can be asked for again");
});

Deno.test("a wrapped source behaves like its original", async () => {
  const walk = function* () {
    yield { path: "payload/a" };
  };
  const open = () => undefined;
  const { source } = watchProofs({ name: "n", root: "/r", open, walk });
  assert.deepEqual([source.name, source.root], ["n", "/r"]);
  const found = [];
  for await (const one of source.walk!("payload")) found.push(one.path);
  assert.deepEqual(found, ["payload/a"]);
  const plain = watchProofs({ name: "n", open }).source;
  assert.deepEqual(Object.keys(plain), ["name", "open"]);
});

const encoded = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

Deno.test("a receipt of a good bundle is read, signed or not", () => {
  const { profile, tenant, sequence, state, bundleDigest, created } = bundle;
  const expected = {
    keyid: "k",
    bundle: { tenant, profile, sequence, state, bundleDigest, created },
  };
  assert.deepEqual(readReceipt(encoded(receipt()), "r"), expected);
  const signed = attest(encoded(receipt()), testKey("receipts").signer);
  assert.deepEqual(readReceipt(signed, "r"), expected);
});

Deno.test("only receipts of verified bundles with a sequence are accepted", () => {
  const { signer: _, ...unsigned } = verified;
  const { sequence: __, ...unnumbered } = bundle;
  const bad = (more: Partial<typeof bundle>) =>
    receipt({ outcome: { ...verified, bundle: { ...bundle, ...more } } });
  const refused: unknown[] = [
    {},
    [],
    "text",
    { ...receipt(), predicateType: "https://slsa.dev/provenance/v1" },
    receipt({ outcome: { ...verified, ok: false, verdict: "refused", code: 11 } }),
    receipt({ outcome: { ...verified, verdict: "integrity-only" } }),
    receipt({ outcome: unsigned }),
    receipt({ outcome: { ...verified, bundle: unnumbered } }),
    receipt({ outcome: new StellaError("medium_failed", "Cannot read a") }),
    ...[{ sequence: 0 }, { sequence: 1.5 }, { sequence: 2 ** 53 }, { state: "x" }].map(bad),
    ...[{ profile: "../p" }, { tenant: "" }, { created: "now" }, { bundleDigest: "" }].map(bad),
    { dsseEnvelope: { payload: "e30=" } },
    { dsseEnvelope: { payload: 1 } },
  ];
  for (const one of refused) {
    assert.throws(
      () => readReceipt(encoded(one), "r"),
      (error) => error instanceof StellaError && error.reason === "argument_invalid",
      JSON.stringify(one),
    );
  }
  assert.throws(() => readReceipt(new Uint8Array([0xff]), "r"), StellaError);
});

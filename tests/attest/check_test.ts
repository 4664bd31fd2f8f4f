import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { checkAttestation, readAttestation, verifyEnvelope } from "../../src/attest/check/check.ts";
import { payloadType, preAuthEncoding } from "../../src/attest/dsse.ts";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { makeBundle, type Recipe, type TestKey, testKey } from "../support/bundle_fixture.ts";
import { always, fc } from "../support/property.ts";

// deno-lint-ignore no-explicit-any -- tests replace values by values of any type
type Loose = any;

const key = testKey("maker");
const other = testKey("other");
const stranger = testKey("stranger");
const trusted = [other.trusted, key.trusted];
// The text produces every base64 digit, including those that differ in the URL-safe alphabet.
const good = makeBundle({ key, statement: (s) => ({ ...s, note: "???>>>~~~???>>~~?>~" }) });
const manifestBytes = good.files.get(manifestName)!;
const right = good.files.get(attestationName)!;

function check(bytes: Uint8Array, over = manifestBytes, keys = trusted) {
  const { signer, claimedKeyid, findings } = checkAttestation(attestationName, bytes, over, keys);
  return { signer, claimedKeyid, findings, codes: findings.map((f) => `${f.kind} ${f.reason}`) };
}

/** The attestation file with its JSON changed, written compactly as stella writes it. */
function changed(change: (bundle: Loose) => void): Uint8Array {
  const bundle = JSON.parse(Buffer.from(right).toString());
  change(bundle);
  return Buffer.from(JSON.stringify(bundle) + "\n");
}

function signed(recipe: Recipe): [Uint8Array, Uint8Array] {
  const { files } = makeBundle({ key, ...recipe });
  return [files.get(attestationName)!, files.get(manifestName)!];
}

Deno.test("a valid signature by a trusted key has no finding", () => {
  for (const algorithm of ["ed25519", "p256"] as const) {
    const maker = testKey("maker", algorithm);
    const { files } = makeBundle({ key: maker });
    const result = check(files.get(attestationName)!, files.get(manifestName)!, [
      stranger.trusted,
      maker.trusted,
    ]);
    assert.deepEqual(result.findings, []);
    assert.equal(result.signer, maker.trusted);
  }
});

Deno.test("a valid signature by an unknown key is untrusted, reports the key, and names no signer", () => {
  for (const keys of [[], [other.trusted]]) {
    const result = check(right, manifestBytes, keys);
    assert.deepEqual(result.codes, ["untrusted key_unknown"]);
    assert.equal(result.signer, undefined);
    assert.equal(result.claimedKeyid, key.trusted.keyid);
    assert.match(result.findings[0]!.found!, new RegExp(`${RegExp.escape(key.trusted.keyid)}`));
    assert.match(result.findings[0]!.hint!, /--trust/);
  }
});

Deno.test("an attestation of an earlier build, whose signature repeats the hint as keyid, is accepted", () => {
  const older = changed(withKeyid(key.trusted.keyid));
  assert.notDeepEqual(older, Buffer.from(right));
  const result = check(older);
  assert.deepEqual([result.codes, result.signer], [[], key.trusted]);
  assert.deepEqual(check(older, manifestBytes, []).codes, ["untrusted key_unknown"]);
  // A change of any bit of it is refused, too.
  for (let at = 0; at < older.length; at++) {
    const bytes = Buffer.from(older);
    bytes[at]! ^= 1;
    assert.deepEqual(check(bytes).findings.map(({ kind }) => kind), ["signature"], `byte ${at}`);
  }
});

const invalid = "signature signature_invalid";
const malformed = "signature malformed";
const subject = "signature subject_mismatch";

function named(hint: string): (bundle: Loose) => void {
  return (b) => b.verificationMaterial.publicKey.hint = hint;
}

/** The attestation as earlier builds wrote it: with the hint repeated as the signature's keyid. */
function withKeyid(keyid: unknown): (bundle: Loose) => void {
  return (b) => b.dsseEnvelope.signatures[0].keyid = keyid;
}

function resign(maker: TestKey): (bundle: Loose) => void {
  return (b) => {
    const payload = Buffer.from(b.dsseEnvelope.payload, "base64");
    const bytes = preAuthEncoding(payloadType, payload);
    b.dsseEnvelope.signatures[0].sig = Buffer.from(maker.signer.sign(bytes)).toString("base64");
  };
}

const urlSafe = (text: string) => text.replaceAll("+", "-").replaceAll("/", "_");

const changes: [string, (bundle: Loose) => void, string][] = [
  [
    "another signature",
    (b) => b.dsseEnvelope.signatures[0].sig = Buffer.alloc(64).toString("base64"),
    invalid,
  ],
  ["no signature", (b) => b.dsseEnvelope.signatures[0].sig = "", invalid],
  ["another payload", (b) => b.dsseEnvelope.payload = "e30=", invalid],
  ["the signature of a stranger under our hint", resign(stranger), invalid],
  ["the signature of another trusted key under our hint", resign(other), malformed],
  ["our signature under another trusted key's hint", named(other.trusted.keyid), malformed],
  ["our signature under a stranger's hint", named(stranger.trusted.keyid), malformed],
  ["an empty hint", named(""), malformed],
  ["a hint that is no digest", named("../../etc/passwd"), malformed],
  ["a hint of a megabyte", named("A".repeat(1 << 20)), malformed],
  ["no hint", (b) => delete b.verificationMaterial.publicKey.hint, malformed],
  ["no public key", (b) => delete b.verificationMaterial.publicKey, malformed],
  ["no verification material", (b) => delete b.verificationMaterial, malformed],
  ["the keyid of another trusted key", withKeyid(other.trusted.keyid), malformed],
  ["the keyid of a stranger", withKeyid(stranger.trusted.keyid), malformed],
  ["an empty keyid", withKeyid(""), malformed],
  ["a keyid of a megabyte", withKeyid("A".repeat(1 << 20)), malformed],
  ["a keyid that is a number", withKeyid(1), malformed],
  ["a keyid that is null", withKeyid(null), malformed],
  ["the right keyid before the signature", (b) => {
    b.dsseEnvelope.signatures = [{ keyid: key.trusted.keyid, ...b.dsseEnvelope.signatures[0] }];
  }, malformed],
  ["a stranger's hint and keyid", (b) => {
    named(stranger.trusted.keyid)(b);
    withKeyid(stranger.trusted.keyid)(b);
  }, malformed],
  ["zero signatures", (b) => b.dsseEnvelope.signatures = [], malformed],
  [
    "the same signature twice",
    (b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0]),
    malformed,
  ],
  [
    "100,000 signatures",
    (b) => b.dsseEnvelope.signatures = Array(1e5).fill({ sig: "" }),
    malformed,
  ],
  [
    "signatures that are no list",
    (b) => b.dsseEnvelope.signatures = { 0: {}, length: 1 },
    malformed,
  ],
  ["a signature that is null", (b) => b.dsseEnvelope.signatures = [null], malformed],
  [
    "another payload type",
    (b) => b.dsseEnvelope.payloadType = "application/json",
    "signature payload_type",
  ],
  ["sigstore's other type", (b) => {
    b.dsseEnvelope.payloadType = "application/vnd.in-toto.provenance+json";
  }, "signature payload_type"],
  ["no payload type", (b) => delete b.dsseEnvelope.payloadType, "signature payload_type"],
  ["no payload", (b) => delete b.dsseEnvelope.payload, malformed],
  ["payload that is no base64", (b) => b.dsseEnvelope.payload = "!!!!", malformed],
  ["no envelope", (b) => delete b.dsseEnvelope, malformed],
  ["an envelope that is a list", (b) => b.dsseEnvelope = [], malformed],
  ["another media type", (b) => b.mediaType = b.mediaType.replace("0.3", "0.2"), malformed],
  ["no media type", (b) => delete b.mediaType, malformed],
  ["a field more", (b) => b.extra = 1, malformed],
  ["a field more in the envelope", (b) => b.dsseEnvelope.extra = 1, malformed],
  ["a log entry", (b) => b.verificationMaterial.tlogEntries = [], malformed],
  ["URL-safe base64", (b) => b.dsseEnvelope.payload = urlSafe(b.dsseEnvelope.payload), malformed],
  ["URL-safe base64 of the signature", (b) => {
    b.dsseEnvelope.signatures[0].sig = urlSafe(b.dsseEnvelope.signatures[0].sig);
  }, malformed],
  ["base64 without padding", (b) => {
    b.dsseEnvelope.signatures[0].sig = b.dsseEnvelope.signatures[0].sig.replace(/=+$/, "");
  }, malformed],
  ["other tail bits of base64", (b) => {
    b.dsseEnvelope.signatures[0].sig = b.dsseEnvelope.signatures[0].sig.replace(/.==$/, nextTail);
  }, malformed],
  ["keys in another order", (b) => {
    const mediaType = b.mediaType;
    delete b.mediaType;
    b.mediaType = mediaType;
  }, malformed],
];

/** The base64 digit with the same decoded bits and different unused bits. */
function nextTail(tail: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return `${digits[digits.indexOf(tail[0]!) ^ 1]}==`;
}

Deno.test("every change of the attestation is refused with its reason", () => {
  for (const [about, change, expected] of changes) {
    const bytes = changed(change);
    assert.ok(!Buffer.from(bytes).equals(right), `${about}: nothing was changed`);
    const result = check(bytes);
    assert.deepEqual(result.codes, [expected], about);
    assert.equal(result.signer, undefined, about);
    assert.ok(result.findings[0]!.found!.length < 500, about);
    assert.ok((result.claimedKeyid ?? "").length <= 44, about);
  }
});

const texts: [string, (text: string) => string][] = [
  ["no line feed", (t) => t.trimEnd()],
  ["two line feeds", (t) => t + "\n"],
  ["spaces", (t) => JSON.stringify(JSON.parse(t), null, 1)],
  ["an escape", (t) => t.replace('"mediaType"', '"media\\u0054ype"')],
  ["a byte order mark", (t) => "\ufeff" + t],
  ["a duplicate key", (t) => t.replace('"mediaType":', '"mediaType":"x","mediaType":')],
  ["a second document", (t) => t + t],
  ["a line of intoto.jsonl", (t) => JSON.stringify(JSON.parse(t).dsseEnvelope) + "\n"],
  ["an array", (t) => `[${t}]`],
  ["nothing", () => ""],
  ["null", () => "null\n"],
  ["500,000 brackets", () => "[".repeat(500_000)],
];

Deno.test("every non-canonical encoding of the attestation is refused as malformed", () => {
  for (const [about, change] of texts) {
    assert.deepEqual(
      check(Buffer.from(change(Buffer.from(right).toString()))).codes,
      [malformed],
      about,
    );
  }
  assert.deepEqual(check(Buffer.of(0xff, 0xfe)).codes, [malformed]);
});

Deno.test("verifyEnvelope accepts both forms of base64 and unknown fields", () => {
  const bytes = changed((b) => {
    b.dsseEnvelope.payload = urlSafe(b.dsseEnvelope.payload);
    b.dsseEnvelope.signatures[0].sig = urlSafe(b.dsseEnvelope.signatures[0].sig);
    b.dsseEnvelope.extra = { any: [1, null] };
    named("any hint")(b);
  });
  assert.equal(verifyEnvelope(readAttestation(bytes), trusted), key.trusted);
});

Deno.test("verifyEnvelope accepts exactly one signature", () => {
  for (const count of [0, 2, 1000]) {
    const bytes = changed((b) => {
      const [one] = b.dsseEnvelope.signatures;
      b.dsseEnvelope.signatures = Array(count).fill(one);
    });
    assert.throws(() => readAttestation(bytes), /exactly one signature/);
  }
});

Deno.test("the attestation of one manifest is refused for another", () => {
  const [, manifest] = signed({ manifest: (m) => m.tenant = "u" });
  assert.deepEqual(check(right, manifest).codes, [subject]);
  assert.deepEqual(check(right, Buffer.concat([manifestBytes, Buffer.from("\n")])).codes, [
    subject,
  ]);
  assert.deepEqual(check(right, new Uint8Array(0)).codes, [subject]);
});

Deno.test("property: an attestation with one byte changed is never accepted and never throws", () => {
  always(
    fc.property(fc.nat(right.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(right);
      bytes[at]! ^= flip;
      const result = check(bytes);
      assert.equal(result.signer, undefined);
      assert.equal(result.findings.length, 1);
      assert.equal(result.findings[0]!.kind, "signature");
    }),
    400,
  );
});

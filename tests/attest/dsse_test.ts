import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { verifyEnvelope } from "../../src/attest/check/check.ts";
import {
  algorithmOf,
  encodeBundle,
  type Envelope,
  keyidOf,
  payloadType,
  preAuthEncoding,
} from "../../src/attest/dsse.ts";
import { attest } from "../../src/attest/sign/signer.ts";
import { type TestKey, testKey } from "../support/bundle_fixture.ts";

function pae(type: string, body: string): string {
  return Buffer.from(preAuthEncoding(type, Buffer.from(body))).toString();
}

Deno.test("the pre-authentication encoding matches the definition of the DSSE protocol", () => {
  assert.equal(
    pae("http://example.com/HelloWorld", "hello world"),
    "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
  );
  assert.equal(pae("", ""), "DSSEv1 0  0 ");
  assert.equal(pae("\u00e9", "\u4e2d"), "DSSEv1 2 \u00e9 3 \u4e2d", "lengths are bytes");
  assert.equal(pae("a 1 b", "c"), "DSSEv1 5 a 1 b 1 c");
  assert.notEqual(pae("a", " 1 b"), pae("a 4", "b"), "a border cannot be moved");
  assert.ok(
    Buffer.from(preAuthEncoding("t", Buffer.of(0, 255))).equals(
      Buffer.from("DSSEv1 1 t 2 \0\xff", "latin1"),
    ),
  );
});

function envelopeOf(key: TestKey, type = payloadType, body = "{}"): Envelope {
  const payload = Buffer.from(body);
  const signature = key.signer.sign(preAuthEncoding(type, payload));
  return { payloadType: type, payload, signature };
}

for (const algorithm of ["ed25519", "p256"] as const) {
  Deno.test(`${algorithm}: the signature covers both type and body`, () => {
    const key = testKey("one", algorithm);
    const other = testKey("two", algorithm);
    const good = envelopeOf(key);
    assert.equal(verifyEnvelope(good, [other.trusted, key.trusted]), key.trusted);
    for (const body of ["", "x", "\u00e9", "{}".repeat(100_000)]) {
      assert.ok(verifyEnvelope(envelopeOf(key, payloadType, body), [key.trusted]), "any body");
    }
    const wrong: [string, Envelope][] = [
      ["another type", { ...good, payloadType: "application/json" }],
      ["no type", { ...good, payloadType: "" }],
      ["another body", { ...good, payload: Buffer.from("{ }") }],
      ["no body", { ...good, payload: Buffer.alloc(0) }],
      ["a signature over another type", { ...good, signature: envelopeOf(key, "x").signature }],
      ["another envelope's signature", {
        ...good,
        signature: envelopeOf(key, payloadType, "[]").signature,
      }],
      ["another key's signature", { ...good, signature: envelopeOf(other).signature }],
      ["no signature", { ...good, signature: Buffer.alloc(0) }],
      ["a cut signature", { ...good, signature: good.signature.subarray(0, -1) }],
      ["a longer signature", { ...good, signature: Buffer.concat([good.signature, Buffer.of(0)]) }],
      ["zeros", { ...good, signature: new Uint8Array(64) }],
    ];
    for (const [about, envelope] of wrong) {
      assert.equal(verifyEnvelope(envelope, [key.trusted]), undefined, about);
    }
    assert.equal(verifyEnvelope(good, []), undefined, "no key");
    assert.equal(verifyEnvelope(good, [other.trusted]), undefined, "another key");
  });

  Deno.test(`${algorithm}: a signature with any bit flipped is refused`, () => {
    const key = testKey("one", algorithm);
    const good = envelopeOf(key);
    for (let bit = 0; bit < good.signature.length * 8; bit++) {
      const signature = Buffer.from(good.signature);
      signature[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(verifyEnvelope({ ...good, signature }, [key.trusted]), undefined, `bit ${bit}`);
    }
  });
}

Deno.test("ed25519: signatures are deterministic, and S + L is refused (RFC 8032, 5.1.7)", () => {
  const key = testKey();
  const good = envelopeOf(key);
  assert.deepEqual(good, envelopeOf(key));
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt("0x" + Buffer.from(good.signature.subarray(32)).reverse().toString("hex"));
  const other = Buffer.from((s + order).toString(16).padStart(64, "0"), "hex").reverse();
  const signature = Buffer.concat([good.signature.subarray(0, 32), other]);
  assert.equal(verifyEnvelope({ ...good, signature }, [key.trusted]), undefined);
});

Deno.test("p256: DER integers with a leading zero and with fewer bytes verify", () => {
  const key = testKey("p", "p256");
  const seen = new Set<string>();
  for (let i = 0; i < 5000 && seen.size < 4; i++) {
    const made = envelopeOf(key, payloadType, String(i));
    // Signatures of other tools: half of them have the larger s.
    const der = sign("sha256", preAuthEncoding(payloadType, made.payload), key.privatePem);
    const envelope = { ...made, signature: der };
    const r = der[3]!;
    const s = der[5 + r]!;
    for (const [name, length] of [["r", r], ["s", s]]) {
      const kind = length === 33 ? "padded" : length as number < 32 ? "short" : "";
      if (kind === "" || seen.has(`${name} ${kind}`)) continue;
      assert.equal(verifyEnvelope(envelope, [key.trusted]), key.trusted, `${name} ${kind}`);
      seen.add(`${name} ${kind}`);
    }
  }
  assert.deepEqual([...seen].sort(), ["r padded", "r short", "s padded", "s short"]);
});

Deno.test("p256: other encodings of the same numbers are refused", () => {
  const key = testKey("p", "p256");
  const good = envelopeOf(key);
  const der = Buffer.from(good.signature);
  const raw = sign("sha256", preAuthEncoding(payloadType, good.payload), {
    key: key.privatePem,
    dsaEncoding: "ieee-p1363",
  });
  const others: [string, Buffer][] = [
    ["r and s without DER", raw],
    ["a long form of length", Buffer.concat([Buffer.of(0x30, 0x81), der.subarray(1)])],
    ["an empty sequence", Buffer.of(0x30, 0)],
    ["r = s = 0", Buffer.from("3006020100020100", "hex")],
  ];
  for (const [about, signature] of others) {
    assert.equal(verifyEnvelope({ ...good, signature }, [key.trusted]), undefined, about);
  }
});

Deno.test("a key of another algorithm never verifies, and RSA, P-384 and Ed448 keys are refused", () => {
  const ed = testKey("e");
  const p256 = testKey("p", "p256");
  assert.equal(verifyEnvelope(envelopeOf(ed), [p256.trusted]), undefined);
  assert.equal(verifyEnvelope(envelopeOf(p256), [ed.trusted]), undefined);
  const swapped = { ...ed.trusted, algorithm: "p256" as const };
  assert.equal(verifyEnvelope(envelopeOf(ed), [swapped]), undefined, "sha256 before Ed25519");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  assert.deepEqual([algorithmOf(rsa.publicKey), algorithmOf(p384.publicKey)], [
    undefined,
    undefined,
  ]);
  assert.deepEqual([algorithmOf(ed.trusted.key), algorithmOf(p256.trusted.key)], [
    "ed25519",
    "p256",
  ]);
});

Deno.test("the keyid is the base64 SHA-256 digest of the SPKI, like sigstore's hint", () => {
  const { publicPem, trusted } = testKey();
  const der = Buffer.from(publicPem.split("\n").slice(1, -2).join(""), "base64");
  assert.equal(trusted.keyid, createHash("sha256").update(der).digest("base64"));
  assert.equal(keyidOf(createPublicKey(publicPem)), trusted.keyid);
  assert.match(trusted.keyid, /^[A-Za-z0-9+/]{43}=$/);
});

Deno.test("encodeBundle writes the canonical encoding, with and without a keyid", () => {
  const attestation = {
    payloadType,
    payload: Buffer.from("{}"),
    signature: Buffer.of(0xfb, 0xff, 0xbf, 1),
    hint: "id",
  };
  const expected = (keyid: string) =>
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"id"}},' +
    `"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"+/+/AQ=="${keyid}}]}}\n`;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(text(encodeBundle(attestation)), expected(""));
  assert.equal(text(encodeBundle({ ...attestation, keyid: "id" })), expected(',"keyid":"id"'));
});

Deno.test("an attestation has no keyid, because cosign skips signatures with a foreign keyid", () => {
  const key = testKey();
  const { dsseEnvelope, verificationMaterial } = JSON.parse(
    Buffer.from(attest(Buffer.from("{}"), key.signer)).toString(),
  );
  assert.deepEqual(Object.keys(dsseEnvelope.signatures[0]), ["sig"]);
  assert.equal(verificationMaterial.publicKey.hint, key.trusted.keyid);
});

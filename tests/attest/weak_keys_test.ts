/**
 * Keys of small order accept forged signatures and are refused wherever a key is read. P-256
 * signatures are written with the smaller s.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkAttestation, readAttestation, verifyEnvelope } from "../../src/attest/check/check.ts";
import { keysAt, keysInDirectory, readPublicKey } from "../../src/attest/check/trust.ts";
import { encodeBundle, preAuthEncoding } from "../../src/attest/dsse.ts";
import { ed25519Fault } from "../../src/attest/ed25519_points.ts";
import { lowSignature } from "../../src/attest/sign/low_s.ts";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { makeBundle, testKey, withDirectory } from "../support/bundle_fixture.ts";
import { Home } from "../support/program.ts";

/**
 * All encodings of the points of small order that OpenSSL accepts, canonical or not, by y; each
 * with both signs of x.
 */
const smallOrder = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].flatMap((hex) => {
  const point = Buffer.from(hex, "hex");
  const negative = Buffer.from(point);
  negative[31]! |= 0x80;
  return [point, negative];
});

/** RFC 8410: the SPKI of an Ed25519 key is this prefix and its 32 bytes. */
function pemOf(point: Uint8Array): string {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), point]);
  return `-----BEGIN PUBLIC KEY-----\n${der.toString("base64")}\n-----END PUBLIC KEY-----\n`;
}

Deno.test("each point of small order is refused in all its encodings, and other points are not", () => {
  assert.equal(new Set(smallOrder.map((point) => point.toString("hex"))).size, 14);
  for (const point of smallOrder) {
    assert.match(ed25519Fault(point) ?? "", /small order/, point.toString("hex"));
  }
  for (let y = 2n; y < 19n; y++) {
    const hex = (2n ** 255n - 19n + y).toString(16);
    const point = Buffer.from(hex, "hex").reverse();
    assert.match(ed25519Fault(point) ?? "", /not encoded as RFC 8032/, hex);
  }
  for (let i = 0; i < 200; i++) {
    const { publicKey } = generateKeyPairSync("ed25519");
    const der = publicKey.export({ type: "spki", format: "der" });
    assert.equal(ed25519Fault(der.subarray(-32)), undefined);
  }
});

Deno.test("OpenSSL accepts a forged signature under a key of small order, so such keys are refused", () => {
  const key = createPublicKey(pemOf(smallOrder[0]!));
  // R is the neutral point and s is 0: s B = R + h A holds for every h.
  const forged = Buffer.concat([smallOrder[0]!, Buffer.alloc(32)]);
  assert.ok(verify(null, Buffer.from("anything"), key, forged));
});

Deno.test("a key of small order is refused as a file, in a directory and on the command line", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, "trust.d"));
    for (const point of smallOrder) {
      const path = join(root, "trust.d/weak.pub");
      writeFileSync(path, pemOf(point));
      const refused = { kind: "config", message: /weak\.pub" as a public key: .*small order/ };
      assert.throws(() => readPublicKey(path), refused);
      assert.throws(() => keysAt(path), refused);
      assert.throws(() => keysAt(join(root, "trust.d")), refused);
      assert.throws(() => keysInDirectory(join(root, "trust.d")), refused);
    }
  });
  const home = new Home();
  try {
    writeFileSync(join(home.path, "weak.pub"), pemOf(smallOrder[3]!));
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", "out/manifest.json"]);
    const kept = join(home.path, "config/stella/trust.d");
    const env = { XDG_CONFIG_HOME: join(home.path, "config") };
    const refuses = async (args: string[]) => {
      const ran = await home.json(args, { env });
      assert.equal(ran.exit, 2, args.join(" "));
      assert.match(ran.error.message, /small order/);
    };
    await refuses(["keys", "trust", "weak.pub"]);
    await refuses(["verify", "out", "--trust", "weak.pub"]);
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, "weak.pub"), pemOf(smallOrder[3]!));
    await refuses(["verify", "out"]);
    await refuses(["keys", "show"]);
  } finally {
    home.remove();
  }
});

/** r and s of a DER signature. */
function numbersOf(der: Uint8Array): [bigint, bigint] {
  const bytes = Buffer.from(der);
  const read = (at: number) => bytes.subarray(at + 2, at + 2 + bytes[at + 1]!);
  const [r, s] = [read(2), read(4 + bytes[3]!)];
  return [BigInt(`0x${r.toString("hex")}`), BigInt(`0x${s.toString("hex")}`)];
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same signature with n - s in place of s. */
function mirrored(der: Uint8Array): Uint8Array {
  const [r, s] = numbersOf(der);
  const integer = (value: bigint) => {
    const digits = value.toString(16).padStart(64, "0").replace(/^(00)+(?=.)/, "");
    const bytes = Buffer.from(/^[89a-f]/.test(digits) ? `00${digits}` : digits, "hex");
    return Buffer.concat([Buffer.from([2, bytes.length]), bytes]);
  };
  const body = Buffer.concat([integer(r), integer(order - s)]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

Deno.test("P-256 signatures are written with the smaller s, and both forms are accepted", () => {
  const key = testKey("p", "p256");
  for (let i = 0; i < 300; i++) {
    const message = Buffer.from(`message ${i}`);
    const signature = key.signer.sign(message);
    const [r, s] = numbersOf(signature);
    assert.ok(s <= order / 2n && s > 0n && r > 0n);
    for (const one of [signature, mirrored(signature)]) {
      assert.ok(verify("sha256", message, key.trusted.key, one), String(i));
    }
  }
});

Deno.test("DER integers have no superfluous leading zeros and never read as negative numbers", () => {
  const raw = (r: bigint, s: bigint) =>
    Buffer.from(r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0"), "hex");
  const rows: [bigint, bigint, string][] = [
    [1n, 2n, "3006020101020102"],
    [0x80n, 0x7fn, "3007020200800201" + "7f"],
    [0x0100n, order - 3n, "3007020201000201" + "03"],
  ];
  for (const [r, s, hex] of rows) {
    assert.equal(Buffer.from(lowSignature(raw(r, s))).toString("hex"), hex);
  }
});

Deno.test("a P-256 signature with the larger s verifies the same statement", () => {
  const made = makeBundle({ key: testKey("p", "p256") });
  const bytes = made.files.get(attestationName)!;
  const right = readAttestation(bytes);
  const other = encodeBundle({ ...right, signature: mirrored(right.signature) });
  assert.notDeepEqual(Buffer.from(other), Buffer.from(bytes));
  const manifest = made.files.get(manifestName)!;
  const checked = checkAttestation(attestationName, other, manifest, [made.key.trusted]);
  assert.deepEqual([checked.signer?.keyid, checked.findings], [made.key.trusted.keyid, []]);
  const signed = preAuthEncoding(right.payloadType, right.payload);
  assert.ok(signed.length > 0 && verifyEnvelope(readAttestation(other), [made.key.trusted]));
});

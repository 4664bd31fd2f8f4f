import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { join } from "node:path";
import { inspect } from "node:util";
import { checkAttestation } from "../../src/attest/check/check.ts";
import { checkHmac } from "../../src/attest/check/hmac.ts";
import { publicKeyFrom, readPublicKey } from "../../src/attest/check/trust.ts";
import {
  encodeBundle,
  encodeEnvelope,
  keyidOf,
  payloadType,
  preAuthEncoding,
} from "../../src/attest/dsse.ts";
import { newSecret, readSecret, secretFrom } from "../../src/attest/secret.ts";
import { signWithSecret } from "../../src/attest/sign/signer.ts";
import { loadSigner, makeSecret } from "../../src/attest/sign/keys.ts";
import { encodeStatement } from "../../src/attest/statement.ts";
import { sha256 } from "../../src/domain/hash.ts";

const file = "manifest.json.hmac.json";
const manifest = new TextEncoder().encode("the manifest's exact bytes\n");
const statement = statementOf(sha256(manifest));
const secret = secretFrom(newSecret(), "shared.key");
const other = secretFrom(newSecret(), "other.key");
const signedBySecret = signWithSecret(secret, statement);

function statementOf(bundleDigest: string): Uint8Array {
  return encodeStatement({
    bundleDigest,
    version: "0.1.0",
    parameters: {
      profile: "risk",
      tenant: "default",
      compression: "zstd",
      layout: "archive",
      created: "2026-01-01T00:00:00Z",
    },
    sources: [],
  });
}

/** Code, reason and signer of a check with one secret. */
function verdictOf(bytes: Uint8Array, secrets = [secret], over = manifest) {
  const { signer: by, findings } = checkHmac(file, bytes, over, secrets);
  return [findings[0]?.kind ?? "ok", findings[0]?.reason ?? by?.name];
}

Deno.test("an HMAC signature is accepted with its secret and is deterministic", () => {
  assert.deepEqual(verdictOf(signedBySecret), ["ok", "shared"]);
  assert.deepEqual(verdictOf(signedBySecret, [other, secret]), ["ok", "shared"]);
  assert.deepEqual(signWithSecret(secret, statement), signedBySecret);
  const envelope = JSON.parse(new TextDecoder().decode(signedBySecret));
  assert.deepEqual(Object.keys(envelope), ["payload", "payloadType", "signatures"]);
  assert.match(envelope.signatures[0].keyid, /^hmac-sha256:/);
});

Deno.test("an envelope in a non-canonical encoding is malformed even if its MAC is valid", () => {
  const text = new TextDecoder().decode(signedBySecret);
  for (const other of [text.trimEnd(), JSON.stringify(JSON.parse(text), null, 1) + "\n"]) {
    const found = verdictOf(new TextEncoder().encode(other));
    assert.deepEqual(found, ["signature", "malformed"], other);
  }
});

Deno.test("the MAC is HMAC-SHA256 over the prefix and the DSSE encoding", () => {
  const key = Buffer.alloc(32, 7);
  const text = `-----BEGIN STELLA SHARED SECRET-----\n${
    key.toString("base64")
  }\n-----END STELLA SHARED SECRET-----\n`;
  const envelope = JSON.parse(
    new TextDecoder().decode(signWithSecret(secretFrom(text, "x"), statement)),
  );
  const signed = Buffer.concat([
    Buffer.from("stella-hmac-sha256\n"),
    preAuthEncoding(payloadType, statement),
  ]);
  assert.equal(
    envelope.signatures[0].sig,
    createHmac("sha256", key).update(signed).digest("base64"),
  );
});

Deno.test("another secret gives key_unknown, and another manifest gives subject_mismatch", () => {
  assert.deepEqual(verdictOf(signedBySecret, [other]), ["untrusted", "key_unknown"]);
  assert.deepEqual(verdictOf(signedBySecret, []), ["untrusted", "key_unknown"]);
  assert.deepEqual(verdictOf(signedBySecret, [secret], manifest.slice(1)), [
    "signature",
    "subject_mismatch",
  ]);
});

Deno.test("an envelope file with any bit flipped is refused", () => {
  for (let at = 0; at < signedBySecret.length; at++) {
    for (const bit of [1, 32]) {
      const changed = signedBySecret.slice();
      changed[at]! ^= bit;
      const [code] = verdictOf(changed);
      // A changed keyid names an unknown secret; every other change is an invalid signature.
      assert.ok(code === "signature" || code === "untrusted", `byte ${at}: ${code}`);
    }
  }
  for (
    const changed of [
      signedBySecret.subarray(1),
      signedBySecret.subarray(0, -1),
      Buffer.concat([signedBySecret, Buffer.from("\n")]),
    ]
  ) {
    assert.deepEqual(verdictOf(changed), ["signature", "malformed"]);
  }
});

// Algorithm confusion: a signature of one algorithm must not be valid for another.

const pair = generateKeyPairSync("ed25519");
const spki = pair.publicKey.export({ type: "spki", format: "pem" }) as string;
const trusted = publicKeyFrom(spki, "signer.pub");
const keyid = keyidOf(pair.publicKey);

function macWith(key: Uint8Array | string, prefix = "stella-hmac-sha256\n"): Uint8Array {
  return createHmac("sha256", key).update(prefix).update(preAuthEncoding(payloadType, statement))
    .digest();
}

Deno.test("an HMAC keyed with a public key is not accepted as a signature", () => {
  const der = pair.publicKey.export({ type: "spki", format: "der" });
  for (const key of [spki, der, der.subarray(-32)]) {
    for (const prefix of ["stella-hmac-sha256\n", ""]) {
      const signature = macWith(key, prefix);
      const forged = encodeBundle({ payloadType, payload: statement, signature, hint: keyid });
      const { signer, findings } = checkAttestation("a", forged, manifest, [trusted]);
      assert.deepEqual([signer, findings[0]?.reason], [undefined, "signature_invalid"]);
    }
  }
});

Deno.test("an HMAC signature in place of an attestation is refused, with and without a bundle around it", () => {
  const bare = checkAttestation("a", signedBySecret, manifest, [trusted]);
  assert.deepEqual(bare.findings.map(({ kind, reason }) => [kind, reason]), [[
    "signature",
    "malformed",
  ]]);
  const signature = macWith(Buffer.alloc(32, 7));
  for (const id of [secret.keyid, keyid]) {
    const wrapped = encodeBundle({ payloadType, payload: statement, signature, hint: id });
    const { signer, findings } = checkAttestation("a", wrapped, manifest, [trusted]);
    assert.deepEqual([signer, findings[0]?.kind], [undefined, "signature"]);
  }
});

Deno.test("a key signature in place of an HMAC signature is refused, whatever its keyid", () => {
  const signature = sign(null, preAuthEncoding(payloadType, statement), pair.privateKey);
  for (const id of [secret.keyid, keyid]) {
    const forged = encodeEnvelope({ payloadType, payload: statement, keyid: id, signature });
    assert.deepEqual(verdictOf(forged)[0], "signature");
  }
  const attested = encodeBundle({ payloadType, payload: statement, signature, hint: keyid });
  assert.deepEqual(verdictOf(attested), ["signature", "malformed"]);
});

Deno.test("a MAC without the prefix, with another digest, or truncated is refused", () => {
  const key = Buffer.alloc(32, 7);
  const text = `-----BEGIN STELLA SHARED SECRET-----\n${
    key.toString("base64")
  }\n-----END STELLA SHARED SECRET-----`;
  const known = secretFrom(text, "known.key");
  const envelope = (signature: Uint8Array) =>
    encodeEnvelope({ payloadType, payload: statement, keyid: known.keyid, signature });
  assert.deepEqual(verdictOf(envelope(macWith(key)), [known]), ["ok", "known"], "the control");
  const codes = [
    macWith(key, ""),
    macWith(key).subarray(0, 31),
    new Uint8Array(0),
    createHmac("sha512", key).update("stella-hmac-sha256\n")
      .update(preAuthEncoding(payloadType, statement)).digest(),
  ];
  for (const code of codes) {
    assert.deepEqual(verdictOf(envelope(code), [known]), ["signature", "signature_invalid"]);
  }
});

Deno.test("an envelope with another payload type is refused even if its MAC covers that type", () => {
  const type = "application/vnd.in-toto.provenance+json";
  const signature = createHmac("sha256", secret.key).update("stella-hmac-sha256\n")
    .update(preAuthEncoding(type, statement)).digest();
  const forged = encodeEnvelope({
    payloadType: type,
    payload: statement,
    keyid: secret.keyid,
    signature,
  });
  assert.deepEqual(verdictOf(forged), ["signature", "payload_type"]);
});

// Secret files

function withDirectory(body: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "stella-secret-" });
  try {
    body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a secret file is never accepted as a key file, nor a key file as a secret", () => {
  withDirectory((directory) => {
    const write = (name: string, text: string) => {
      Deno.writeTextFileSync(join(directory, name), text, { mode: 0o600 });
      return join(directory, name);
    };
    makeSecret(join(directory, "shared.key"));
    const privatePem = pair.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const [publicFile, privateFile] = [write("s.pub", spki), write("s.key", privatePem)];
    for (const path of [publicFile, privateFile]) {
      assert.throws(() => readSecret(path), {
        kind: "config",
        message: /not a STELLA SHARED SECRET/,
      });
    }
    const shared = join(directory, "shared.key");
    assert.throws(() => readPublicKey(shared), {
      kind: "config",
      message: /no PEM block PUBLIC KEY in it/,
    });
    assert.throws(() => loadSigner(shared), { kind: "config", message: /not a private key/ });
  });
});

Deno.test("a new secret is random, has 32 bytes and mode 0600", () => {
  withDirectory((directory) => {
    const path = join(directory, "keys", "shared.key");
    const made = makeSecret(path);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(readSecret(path).keyid, made.keyid);
    assert.notEqual(secretFrom(newSecret(), "x").keyid, made.keyid);
    assert.throws(() => makeSecret(path), { kind: "conflict" });
    Deno.chmodSync(path, 0o644);
    assert.throws(() => readSecret(path), { kind: "config", message: /others can read the file/ });
  });
});

Deno.test("a short secret, an endless one and a damaged file are refused", () => {
  const pem = (bytes: number) =>
    `-----BEGIN STELLA SHARED SECRET-----\n${
      Buffer.alloc(bytes, 1).toString("base64")
    }\n-----END STELLA SHARED SECRET-----\n`;
  assert.equal(secretFrom(pem(32), "ok.key").name, "ok");
  for (const bytes of [1, 16, 31, 1025]) {
    assert.throws(() => secretFrom(pem(bytes), "x"), {
      message: new RegExp(`it has ${bytes} bytes`),
    });
  }
  for (const text of ["", pem(0), pem(32).replace("END", "BEGIN"), pem(32) + "more"]) {
    assert.throws(() => secretFrom(text, "x"), { kind: "config" }, text);
  }
});

Deno.test("a printed secret object does not reveal the secret", () => {
  const key = Buffer.alloc(32, "SECRETSECRET");
  const text = `-----BEGIN STELLA SHARED SECRET-----\n${
    key.toString("base64")
  }\n-----END STELLA SHARED SECRET-----\n`;
  const shown = inspect(secretFrom(text, "x"), { depth: 9, showHidden: true }) +
    JSON.stringify(secretFrom(text, "x"));
  assert.doesNotMatch(shown, /SECRET/);
  assert.ok(!shown.includes(key.toString("base64").slice(0, 12)));
  assert.ok(!shown.includes(key.toString("hex").slice(0, 12)));
});

/** Third-party programs accept an attestation of stella and refuse a changed one. */
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { requiring } from "../support/needs.ts";
import {
  makeBundle,
  type TestKey,
  testKey,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";

/**
 * Verifies as a sigstore client does with a key and no transparency log; throws if the attestation
 * is not accepted.
 */
function sigstoreVerify(attestation: Uint8Array, key: TestKey): void {
  const bundle = bundleFromJSON(JSON.parse(Buffer.from(attestation).toString()));
  const finder = (hint: string) => {
    assert.equal(hint, key.trusted.keyid, "the hint is the keyid");
    return { publicKey: key.trusted.key as never, validFor: () => true };
  };
  const material = toTrustMaterial(emptyRoot as never, finder);
  const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0, tsaThreshold: 0 };
  new Verifier(material, options).verify(toSignedEntity(bundle));
}

const emptyRoot = {
  mediaType: "",
  tlogs: [],
  certificateAuthorities: [],
  ctlogs: [],
  timestampAuthorities: [],
};

// Ed25519 alone: for P-256 the client leaves the digest to the runtime, and Deno's default is not
// Node's.
Deno.test("@sigstore/verify accepts an attestation and refuses a changed one", () => {
  const key = testKey("maker");
  const right = makeBundle({ key }).files.get(attestationName)!;
  sigstoreVerify(right, key);
  const changed = JSON.parse(Buffer.from(right).toString());
  const payload = Buffer.from(changed.dsseEnvelope.payload, "base64").toString();
  const other = payload.replace('"profile":"p"', '"profile":"q"');
  assert.notEqual(other, payload);
  changed.dsseEnvelope.payload = Buffer.from(other).toString("base64");
  assert.throws(() => sigstoreVerify(Buffer.from(JSON.stringify(changed)), key), /signature/);
  const { trusted } = testKey("other");
  const stranger = { ...key, trusted: { ...trusted, keyid: key.trusted.keyid } };
  assert.throws(() => sigstoreVerify(right, stranger), /signature/);
});

for (const algorithm of ["ed25519", "p256"] as const) {
  Deno.test(
    requiring(["openssl", "jq"], `openssl and jq accept an ${algorithm} attestation`, async () => {
      await withDirectory(async (root) => {
        const key = testKey("maker", algorithm);
        writeFiles(root, makeBundle({ key }).files);
        writeFiles(root, { "key.pub": key.publicPem });
        const verify = algorithm === "ed25519"
          ? "openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in pae -sigfile s"
          : "openssl dgst -sha256 -verify key.pub -signature s pae";
        const script = `
        jq -r .dsseEnvelope.payload ${attestationName} | base64 -d >p
        jq -r '.dsseEnvelope.signatures[0].sig' ${attestationName} | base64 -d >s
        { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c <p)"; cat p; } >pae
        ${verify} >&2
        jq -r '.subject[] | select(.name == "manifest.json").digest.sha256' p`;
        const out = await new Deno.Command("sh", { args: ["-ec", script], cwd: root }).output();
        assert.equal(out.code, 0, new TextDecoder().decode(out.stderr));
        const digest = sha256(Deno.readFileSync(join(root, manifestName)));
        assert.equal(new TextDecoder().decode(out.stdout).trim(), digest);
      });
    }),
  );
}

/**
 * Bundles that need a signature by a shared secret: other signers do not count, but an invalid
 * signature does.
 */
import assert from "node:assert/strict";
import { newSecret, secretFrom } from "../../src/attest/secret.ts";
import { signWithSecret } from "../../src/attest/sign/signer.ts";
import { encodeStatement } from "../../src/attest/statement.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { attestationName, hmacName, manifestName } from "../../src/bundle/manifest.ts";
import { created, makeBundle, memorySource, testKey } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

const made = makeBundle();
const shared = secretFrom(newSecret(), "shared.key");
const another = secretFrom(newSecret(), "another.key");

function sealOver(bytes: Uint8Array): Uint8Array {
  const parameters = {
    profile: "p",
    tenant: "t",
    compression: "none",
    layout: "archive",
    created,
  } as const;
  const statement = { bundleDigest: sha256(bytes), version: "0.1.0", parameters, sources: [] };
  return signWithSecret(shared, encodeStatement(statement));
}

type Change = (files: Map<string, Uint8Array>) => void;

/**
 * Verifies the bundle with the signature after `change`, holding `secret` and trusting only the key
 * `trusted`.
 */
async function verifyAs(change: Change = () => {}, secret = shared, trusted = [made.key.trusted]) {
  const files = new Map(made.files);
  files.set(hmacName, sealOver(files.get(manifestName)!));
  change(files);
  const { code, findings, verdict } = await outcomeOf(memorySource(files), trusted, {
    secrets: [secret],
  });
  return [code, findings, verdict?.signer?.name];
}

/** Changes a byte of the signature, and nothing of its form. */
function spoil(files: Map<string, Uint8Array>): void {
  const text = new TextDecoder().decode(files.get(attestationName));
  const corrupted = text.replace(/"sig":"(.)/, (_, c) => `"sig":"${c === "A" ? "B" : "A"}`);
  assert.notEqual(corrupted, text);
  files.set(attestationName, new TextEncoder().encode(corrupted));
}

Deno.test("a valid HMAC signature is sufficient for any other signer", async () => {
  const stranger = [testKey("stranger").trusted];
  assert.deepEqual(await verifyAs(), [0, [], "shared"]);
  assert.deepEqual(await verifyAs(() => {}, shared, stranger), [0, [], "shared"]);
  assert.deepEqual(await verifyAs(() => {}, shared, []), [0, [], "shared"]);
  const unsigned = (files: Map<string, Uint8Array>) => void files.delete(attestationName);
  assert.deepEqual(await verifyAs(unsigned), [0, [], "shared"]);
});

Deno.test("a signature by a trusted key is not enough if an HMAC signature is required", async () => {
  const unsealed = (files: Map<string, Uint8Array>) => void files.delete(hmacName);
  assert.deepEqual(await verifyAs(unsealed), [
    5,
    ["5 hmac_missing manifest.json.hmac.json"],
    undefined,
  ]);
  const [code, findings, signer] = await verifyAs(() => {}, another);
  assert.deepEqual([code, signer], [5, undefined]);
  assert.match(String(findings), /^5 /);
});

Deno.test("an invalid signature beside a valid HMAC signature is refused", async () => {
  const [code, findings] = await verifyAs(spoil);
  assert.equal(code, 4);
  assert.match(String(findings), /^4 .*manifest\.json\.sigstore\.json$/);
});

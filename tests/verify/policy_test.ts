/**
 * Which verdict follows from signer and content: unknown signers, integrity-only, and files that are
 * not opened.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { type MadeBundle, makeBundle, memorySource, testKey } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";
import { bundles, drop, flip, tampered } from "../support/tampered.ts";

Deno.test("a bundle by an unknown signer is refused, and the matching files are still reported", async () => {
  for (const [form, made] of Object.entries(bundles)) {
    const { code, findings, verdict } = await outcomeOf(memorySource(made.files), [
      testKey("another").trusted,
    ]);
    assert.deepEqual([code, findings], [5, ["5 key_unknown manifest.json.sigstore.json"]], form);
    assert.equal(verdict!.filesVerified, made.manifest.payload.files);
    assert.equal(verdict!.claimedKeyid, made.key.trusted.keyid);
    assert.equal(verdict!.signer, undefined);
  }
});

Deno.test("findings in the content outrank an untrusted signer", async () => {
  const made = tampered("directory", flip("payload/a.txt", 0));
  const { code, findings } = await outcomeOf(memorySource(made.files), []);
  assert.equal(code, 7);
  assert.deepEqual(findings, [
    "5 key_unknown manifest.json.sigstore.json",
    "7 digest_mismatch payload/a.txt",
  ]);
});

Deno.test("--integrity-only ignores a missing or unknown signer, and nothing else", async () => {
  const verifyWith = (made: MadeBundle, trusted = [testKey("another").trusted]) =>
    outcomeOf(memorySource(made.files), trusted, { integrityOnly: true });
  for (const made of [bundles["zstd"]!, tampered("zstd", drop(attestationName))]) {
    const { code, verdict } = await verifyWith(made);
    assert.deepEqual([code, verdict!.ok, verdict!.verdict], [0, true, "integrity-only"]);
    assert.equal(verdict!.findings.length, 1, "and says so");
  }
  assert.equal((await verifyWith(tampered("zstd", flip("p.tar.zst", 40)))).code, 7);
  assert.equal((await verifyWith(tampered("zstd", flip(manifestName, 30)))).code, 4);
  assert.equal((await verifyWith(tampered("zstd", flip(attestationName, -3)))).code, 4);
  const known = await verifyWith(bundles["zstd"]!, [testKey().trusted]);
  assert.deepEqual([known.code, known.verdict!.verdict], [0, "integrity-only"]);
});

Deno.test("after a wrong signature nothing more is opened", async () => {
  const made = tampered("plain", flip(manifestName, 30));
  const opened: string[] = [];
  const source = memorySource(made.files);
  const watched = { ...source, open: (path: string) => (opened.push(path), source.open(path)) };
  assert.equal((await outcomeOf(watched, [made.key.trusted])).code, 4);
  assert.deepEqual(opened, [manifestName, attestationName]);
});

Deno.test("an unreadable signed manifest is code 3 with any signer", async () => {
  const made = makeBundle({ manifestBytes: (bytes) => Buffer.concat([bytes, Buffer.from(" ")]) });
  for (const trusted of [[made.key.trusted], []]) {
    const outcome = await outcomeOf(memorySource(made.files), trusted);
    assert.equal(outcome.code, 3);
    assert.match(outcome.findings[0]!, /not in the one encoding/);
  }
});

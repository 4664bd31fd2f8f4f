/**
 * The probe of the verifier detects one that refuses good bundles, one that accepts bad ones, and
 * one that refuses for the wrong reason.
 */
import assert from "node:assert/strict";
import { type Files, memorySource, probeAttestation } from "../../src/verify/probe.ts";
import type { TrustedKey } from "../../src/attest/check/trust.ts";
import { verifyBundle } from "../../src/verify/verify.ts";

/** The real verifier. */
async function outcome(files: Files, trusted: TrustedKey[]): Promise<string> {
  const { ok, findings } = await verifyBundle(memorySource(files), { trusted });
  return ok ? "ok" : findings[0]!.reason;
}

Deno.test("the real verifier passes, by one good bundle and four bad ones", async () => {
  const asked: string[] = [];
  const probe = await probeAttestation(async (files, trusted) => {
    asked.push(await outcome(files, trusted));
    return asked.at(-1)!;
  });
  assert.equal(probe.ok, true, probe.detail);
  assert.equal(probe.reason, undefined);
  assert.equal(asked.filter((one) => one === "ok").length, 1);
  assert.match(probe.detail, new RegExp(`${asked.length - 1} tampered copies are refused`));
  assert.deepEqual(await probeAttestation(), probe);
});

Deno.test("the probe detects a verifier that accepts everything", async () => {
  const probe = await probeAttestation(() => Promise.resolve("ok"));
  assert.deepEqual([probe.ok, probe.reason], [false, "subject_mismatch"]);
  assert.match(probe.detail, /a tampered bundle was accepted: a bit of the manifest flipped/);
});

Deno.test("the probe detects a verifier that refuses everything", async () => {
  const probe = await probeAttestation(() => Promise.resolve("key_unknown"));
  assert.deepEqual([probe.ok, probe.reason], [false, "key_unknown"]);
  assert.match(probe.detail, /the probe bundle was refused: key_unknown/);
});

Deno.test("the probe detects a verifier that refuses for another reason", async () => {
  const probe = await probeAttestation(async (files, trusted) => {
    const found = await outcome(files, trusted);
    return found === "digest_mismatch" ? "size_differs" : found;
  });
  assert.deepEqual([probe.ok, probe.reason], [false, "size_differs"]);
  assert.match(probe.detail, /: refused for size_differs, not digest_mismatch/);
});

Deno.test("a verifier that throws fails the probe without an error", async () => {
  const probe = await probeAttestation(() => Promise.reject(new Error("out of order")));
  assert.deepEqual(probe, {
    ok: false,
    detail: "verification failed: out of order",
    reason: "malformed",
  });
});

Deno.test("a bundle in memory has its files and no others", async () => {
  const source = memorySource(new Map([["a", new Uint8Array([1, 2, 3])]]));
  assert.equal(await source.open("b"), undefined);
  const reader = await source.open("a");
  const buffer = new Uint8Array(2);
  const lengths = [];
  for (let i = 0; i < 3; i++) lengths.push(await reader!.read(buffer));
  assert.deepEqual([reader!.size, ...lengths], [3, 2, 1, 0]);
});

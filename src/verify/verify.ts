/**
 * Verification pipeline: attestation over the manifest's exact bytes, manifest, index, payload
 * merged against the index, verdict. It fails closed. It uses only node: built-ins and our own
 * code, writes nothing, opens no connection and no database, and needs no temporary space.
 */
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { checkAttestation, type Checked, maxAttestationBytes } from "../attest/check/check.ts";
import { checkHmac } from "../attest/check/hmac.ts";
import type { TrustedKey } from "../attest/check/trust.ts";
import type { Numbered, SequenceResult } from "../attest/trust/sequence_check.ts";
import type { SharedSecret } from "../attest/secret.ts";
import {
  attestationName,
  bundleDigest,
  hmacName,
  type Manifest,
  manifestName,
  stateOf,
} from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { checkContent, type ContentOptions } from "./content.ts";
import { Findings } from "../bundle/finding_list.ts";
import { computeVerdict, type Verdict } from "./verdict.ts";

export interface VerifyOptions extends ContentOptions {
  trusted: readonly TrustedKey[];
  /** If given, one of these must have signed the bundle, and other signatures do not count. */
  secrets?: readonly SharedSecret[];
  /** Check integrity only: a missing or unknown signer is reported but does not cause a refusal. */
  integrityOnly?: boolean;
  /** Judges the sequence of a bundle that a trusted key or secret has signed. */
  checkSequence?: (bundle: Numbered & { tenant: string }, keyid: string) => SequenceResult;
}

/**
 * Verifies the bundle in `source` and reports all findings.
 * @throws StellaError io or remote if bytes could not be read: no verdict on the content
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { readPublicKey } from "../attest/check/trust.ts";
 * import { directorySource } from "../bundle/source.ts";
 * const source = directorySource("tests/fixtures/golden/zstd");
 * const trusted = [readPublicKey("tests/fixtures/golden/ed25519.pub")];
 * equal((await verifyBundle(source, { trusted })).verdict, "verified");
 * equal((await verifyBundle(source, { trusted: [] })).verdict, "refused");
 * ```
 */
export async function verifyBundle(source: BundleSource, options: VerifyOptions): Promise<Verdict> {
  const { verdict: signed, manifest } = await verifyManifest(source, options);
  if (manifest === undefined) return signed;
  await options.begin?.(manifest, !signed.ok);
  const findings = new Findings();
  signed.findings.forEach((finding) => findings.add(finding));
  const filesVerified = await checkContent(source, manifest, findings, options);
  const all = findings.all();
  return { ...signed, ...computeVerdict(all, options.integrityOnly), filesVerified, findings: all };
}

/**
 * Who signed the manifest, and what it says; no file that it lists is read. Without a manifest if
 * its signature is invalid.
 */
export async function verifyManifest(
  source: BundleSource,
  options: VerifyOptions,
): Promise<{ verdict: Verdict; manifest?: Manifest }> {
  const bytes = await readManifestBytes(source);
  const attested = await checkSigner(source, bytes, options);
  const facts = { ...signerFacts(attested), filesVerified: 0, findings: attested.findings };
  if (facts.findings.some(({ kind }) => kind === "signature")) {
    return { verdict: { ...computeVerdict(facts.findings), ...facts } };
  }
  const manifest = readManifest(bytes);
  const bundle = bundleFacts(manifest, bytes);
  const { findings: found = [], ...sequence } = judgeSequence(manifest, attested, options);
  const findings = [...facts.findings, ...found];
  const verdict = computeVerdict(findings, options.integrityOnly);
  return { verdict: { ...verdict, bundle, ...facts, ...sequence, findings }, manifest };
}

/** The sequence is what the signer says: without a signer that counts it is no more than a number. */
function judgeSequence(
  manifest: Manifest,
  { signer }: Checked,
  { checkSequence, integrityOnly }: VerifyOptions,
): Partial<SequenceResult> {
  if (checkSequence === undefined) return {};
  if (signer === undefined || integrityOnly) return { rollback: { judged: false } };
  return checkSequence({ ...manifest, state: stateOf(manifest) }, signer.keyid);
}

async function readManifestBytes(source: BundleSource): Promise<Uint8Array> {
  const bytes = await readSmall(source, manifestName, maxManifestBytes);
  if (bytes !== undefined) return bytes;
  const text = `Cannot verify ${shown(source.name)}: no ${manifestName} in it`;
  throw new StellaError("manifest_missing", text, {
    hint: "name the directory of a bundle, or send the stream of one; if the export was " +
      "interrupted, run it again",
  });
}

async function checkSigner(
  source: BundleSource,
  manifestBytes: Uint8Array,
  { trusted, secrets }: VerifyOptions,
): Promise<Checked> {
  const attested = await checkKeys(source, manifestBytes, trusted);
  if (secrets === undefined) {
    const found = source.sequential ? await checkUnusedHmac(source, manifestBytes) : [];
    return { ...attested, findings: [...attested.findings, ...found] };
  }
  const signed = await checkHmacSignature(source, manifestBytes, secrets);
  const broken = attested.findings.filter(({ kind }) => kind === "signature");
  return { ...signed, findings: [...broken, ...signed.findings] };
}

async function checkHmacSignature(
  source: BundleSource,
  manifestBytes: Uint8Array,
  secrets: readonly SharedSecret[],
): Promise<Checked> {
  const bytes = await readSmall(source, hmacName, maxAttestationBytes, "malformed");
  if (bytes !== undefined) return checkHmac(hmacName, bytes, manifestBytes, secrets);
  const missing = finding("hmac_missing", {
    path: hmacName,
    found: "no HMAC signature by a shared secret",
    hint: "export the bundle with --secret FILE, or verify it with a public key",
  });
  return { findings: [missing] };
}

/**
 * The HMAC signature was not asked for, but a stream carries it and `tar -x` keeps it, so it must
 * at least refer to this manifest. Only a holder of the secret can check it.
 */
async function checkUnusedHmac(source: BundleSource, manifest: Uint8Array): Promise<Finding[]> {
  const bytes = await readSmall(source, hmacName, maxAttestationBytes, "entry_unexpected");
  if (bytes === undefined) return [];
  const { findings } = checkHmac(hmacName, bytes, manifest, []);
  return findings.filter(({ kind }) => kind === "signature")
    .map((found) => ({ ...found, ...finding("entry_unexpected") }));
}

async function checkKeys(
  source: BundleSource,
  manifestBytes: Uint8Array,
  trusted: readonly TrustedKey[],
): Promise<Checked> {
  const bytes = await readSmall(source, attestationName, maxAttestationBytes, "malformed");
  if (bytes !== undefined) {
    return checkAttestation(attestationName, bytes, manifestBytes, trusted);
  }
  const missing = finding("attestation_missing", {
    path: attestationName,
    found: "attestation not found",
    hint: "copy the attestation too, or check integrity only with --integrity-only",
  });
  return { findings: [missing] };
}

function signerFacts({ signer, claimedKeyid }: Checked): Pick<Verdict, "signer" | "claimedKeyid"> {
  if (signer !== undefined) return { signer: { keyid: signer.keyid, name: signer.name } };
  return claimedKeyid === undefined ? {} : { claimedKeyid };
}

function bundleFacts(manifest: Manifest, written: Uint8Array): NonNullable<Verdict["bundle"]> {
  const { profile, tenant, created, sequence, tool, payload: { files, bytes } } = manifest;
  const facts = { profile, tenant, bundleDigest: bundleDigest(written), created };
  const numbered = { ...(sequence === undefined ? {} : { sequence }), state: stateOf(manifest) };
  return { ...facts, ...numbered, files, bytes, tool };
}

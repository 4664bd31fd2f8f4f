/**
 * The way back: attestation over the manifest's exact bytes -> manifest -> index -> archive or directory, merged against the
 * index -> verdict. It reads like the policy it enforces, and fails closed. node: built-ins and our own code only; it
 * writes nothing, opens no connection and no database, and needs no temporary space.
 */
import { type Finding, StellaError } from "../domain/errors.ts";
import { checkAttestation, type Checked, maxAttestationBytes } from "../attest/check/check.ts";
import { checkHmac } from "../attest/check/hmac.ts";
import type { TrustedKey } from "../attest/check/trust.ts";
import type { SharedSecret } from "../attest/secret.ts";
import {
  attestationName,
  bundleDigest,
  hmacName,
  type Manifest,
  manifestName,
} from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { checkContent, type ContentOptions } from "./content.ts";
import { Findings } from "../bundle/finding_list.ts";
import { computeVerdict, type Verdict } from "./verdict.ts";

export interface VerifyOptions extends ContentOptions {
  trusted: readonly TrustedKey[];
  /** Given: the bundle has to be sealed with one of these, and who else signed it does not count. */
  secrets?: readonly SharedSecret[];
  /** Judge bytes only: a missing or unknown signer is reported, but is no refusal. */
  integrityOnly?: boolean;
}

/**
 * Verifies the bundle in `source` and says everything that was found.
 * @throws StellaError media or registry where bytes could not be read: that is no statement about them
 */
export async function verifyBundle(source: BundleSource, options: VerifyOptions): Promise<Verdict> {
  const findings = new Findings();
  const manifestBytes = await readManifestBytes(source);
  const attested = await checkSigner(source, manifestBytes, options);
  attested.findings.forEach((finding) => findings.add(finding));
  const facts = signerFacts(attested);
  if (attested.findings.some((f) => f.code === "signature")) {
    return {
      ...computeVerdict(findings.all(), false),
      ...facts,
      filesVerified: 0,
      findings: findings.all(),
    };
  }
  const manifest = readManifest(manifestBytes);
  await options.begin?.(
    manifest,
    !computeVerdict(findings.all(), options.integrityOnly ?? false).ok,
  );
  const filesVerified = await checkContent(source, manifest, findings, options);
  return {
    ...computeVerdict(findings.all(), options.integrityOnly ?? false),
    bundle: bundleFacts(manifest, manifestBytes),
    ...facts,
    filesVerified,
    findings: findings.all(),
  };
}

async function readManifestBytes(source: BundleSource): Promise<Uint8Array> {
  const bytes = await readSmall(source, manifestName, maxManifestBytes);
  if (bytes !== undefined) return bytes;
  throw new StellaError(
    "manifest",
    `Cannot verify ${shown(source.name)}: it has no ${manifestName}`,
    {
      hint: "name the directory of the bundle; an export that was interrupted has no manifest",
    },
  );
}

async function checkSigner(
  source: BundleSource,
  manifestBytes: Uint8Array,
  { trusted, secrets }: VerifyOptions,
): Promise<Attested> {
  const attested = await checkKeys(source, manifestBytes, trusted);
  if (secrets === undefined) {
    const found = source.sequential ? await checkUnusedHmac(source, manifestBytes) : [];
    return { ...attested, findings: [...attested.findings, ...found] };
  }
  const sealed = await checkHmacSignature(source, manifestBytes, secrets);
  const broken = attested.findings.filter((finding) => finding.code === "signature");
  return { ...sealed, findings: [...broken, ...sealed.findings] };
}

/** Who vouches for the manifest, whichever way. */
type Attested = Omit<Checked, "signer"> & { signer?: { keyid: string; name: string } };

async function checkHmacSignature(
  source: BundleSource,
  manifestBytes: Uint8Array,
  secrets: readonly SharedSecret[],
): Promise<Attested> {
  const bytes = await readSmall(source, hmacName, maxAttestationBytes, "signature");
  if (bytes !== undefined) {
    const { secret, findings } = checkHmac(hmacName, bytes, manifestBytes, secrets);
    return secret === undefined ? { findings } : { signer: secret, findings };
  }
  const finding: Finding = {
    code: "untrusted",
    reason: "hmac_missing",
    path: hmacName,
    found: "the bundle is not sealed with a shared secret",
    hint: "export it with --secret FILE, or verify it by a public key",
  };
  return { findings: [finding] };
}

/**
 * Nobody asked for the shared secret's envelope, but it goes by unseen in a stream and `tar -x`
 * keeps it: it has to be one of this manifest. Whether the secret made it, only who holds that can
 * say.
 */
async function checkUnusedHmac(source: BundleSource, manifest: Uint8Array): Promise<Finding[]> {
  const bytes = await readSmall(source, hmacName, maxAttestationBytes, "unexpected");
  if (bytes === undefined) return [];
  const { findings } = checkHmac(hmacName, bytes, manifest, []);
  return findings.filter(({ code }) => code === "signature").map((finding) => ({
    ...finding,
    code: "unexpected",
    reason: "entry_unexpected",
  }));
}

async function checkKeys(
  source: BundleSource,
  manifestBytes: Uint8Array,
  trusted: readonly TrustedKey[],
): Promise<Checked> {
  const bytes = await readSmall(source, attestationName, maxAttestationBytes, "signature");
  if (bytes !== undefined) {
    return checkAttestation(attestationName, bytes, manifestBytes, trusted);
  }
  const finding: Finding = {
    code: "untrusted",
    reason: "attestation_missing",
    path: attestationName,
    found: "nobody vouches for this bundle",
    hint: "copy the attestation too, or check the bytes alone with --integrity-only",
  };
  return { findings: [finding] };
}

function signerFacts(attested: Attested): Pick<Verdict, "signer" | "claimedKeyid"> {
  const { signer, claimedKeyid } = attested;
  if (signer !== undefined) return { signer: { keyid: signer.keyid, name: signer.name } };
  return claimedKeyid === undefined ? {} : { claimedKeyid };
}

function bundleFacts(manifest: Manifest, bytes: Uint8Array): NonNullable<Verdict["bundle"]> {
  return {
    profile: manifest.profile,
    tenant: manifest.tenant,
    bundleDigest: bundleDigest(bytes),
    created: manifest.created,
    files: manifest.payload.files,
    bytes: manifest.payload.bytes,
    tool: manifest.tool,
  };
}

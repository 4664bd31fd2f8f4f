/** `verify --manifest oci://...`: a bundle is verified where it lies in a registry, by the same code, and nothing is written. */
import { checkAttestation } from "../attest/check/check.ts";
import { checkHmac } from "../attest/check/hmac.ts";
import { attestationName, hmacName } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import { grants } from "../config/permissions.ts";
import { parseReference } from "../domain/reference.ts";
import { type Choice, RegistryBundle } from "../registry/source.ts";
import { confine, type Kept, proveConfined } from "../verify/confine.ts";
import { computeVerdict, type Verdict } from "../verify/verdict.ts";
import type { Host } from "./host.ts";
import { clientFor } from "./registry_client.ts";
import { type Judges, judgesOf, judgeSource, type Look, type VerifyOptions } from "./judge.ts";

/**
 * Keys, credentials and certificates first; then all permissions but read and those in `keep` are given up; then the first byte.
 * Everything is read by way of what `through` makes of the bundle; `look` is told of it on the way.
 */
export async function judgeThrough(
  ref: string,
  options: VerifyOptions,
  host: Host,
  keep: readonly Kept[],
  through: (bundle: RegistryBundle) => BundleSource,
  look: Look = {},
): Promise<Verdict> {
  const reference = parseReference(ref);
  const judges = judgesOf(options, host);
  const client = await clientFor(reference, options, host);
  confine(Deno.permissions, grants, keep);
  proveConfined(keep);
  try {
    const bundle = new RegistryBundle(client, reference, chooserOf(judges), host.stop);
    const verdict = await judgeSource(through(bundle), judges, options, host, look);
    return verdict.ok ? await withRegistry(verdict, bundle, options) : verdict;
  } finally {
    client.close();
  }
}

/** Anybody may have attached proofs: the first that is right and by somebody who is trusted counts, else the first. */
function chooserOf({ trusted, secrets = [] }: Judges): Choice {
  return (candidates, manifest, proof) => {
    const isRight = (bytes: Uint8Array) =>
      proof === "hmac"
        ? checkHmac(hmacName, bytes, manifest, secrets).findings.length === 0
        : checkAttestation(attestationName, bytes, manifest, trusted).findings.length === 0;
    return Math.max(0, candidates.findIndex(isRight));
  };
}

/** The files are right; then the registry's own manifest has to be so too. */
async function withRegistry(
  verdict: Verdict,
  bundle: RegistryBundle,
  { integrityOnly }: VerifyOptions,
): Promise<Verdict> {
  const finding = await bundle.check();
  if (finding === undefined) return verdict;
  const findings = [...verdict.findings, finding];
  return { ...verdict, ...computeVerdict(findings, integrityOnly ?? false), findings };
}

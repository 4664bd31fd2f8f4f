/** The verdict, which fails closed, and its findings with code, location and hint. */
import { exitCodes, type Finding, worstOf } from "../domain/errors.ts";
import type { RollbackFacts } from "../attest/trust/sequence_check.ts";
import type { Manifest } from "../bundle/manifest.ts";

export interface Verdict {
  ok: boolean;
  /** The exit code: 0, or the worst that was found; see worstOf. */
  code: number;
  verdict: "verified" | "integrity-only" | "refused";
  bundle?: {
    profile: string;
    tenant: string;
    bundleDigest: string;
    created: string;
    /** Absent if the bundle has none. */
    sequence?: number;
    /** What the sequence numbers: the digest of the index. */
    state: string;
    files: number;
    bytes: number;
    tool: Manifest["tool"];
  };
  signer?: { keyid: string; name: string };
  /** Keys were taken from the bundle's own medium, as requested: the signer proves no origin. */
  trustFromMedia?: true;
  /** The keyid that the attestation claims, if no trusted key signed it. */
  claimedKeyid?: string;
  /** Whether the bundle is older than one that is known; absent if nobody asked. */
  rollback?: RollbackFacts;
  /** Number of payload files whose digest matches. */
  filesVerified: number;
  findings: Finding[];
  /** Files beside the bundle that were not verified; they do not change the verdict. */
  notes?: readonly Note[];
}

/** An unlisted file, the number of `more` of them, or too many files to search. */
export type Note =
  | { reason: "not_listed"; path: string }
  | { reason: "not_listed"; more: number }
  | { reason: "not_searched" };

/** `integrityOnly`: a missing or unknown signer alone is reported and does not refuse. */
export function computeVerdict(
  findings: Finding[],
  integrityOnly = false,
): Pick<Verdict, "ok" | "code" | "verdict"> {
  const counted = integrityOnly ? findings.filter(({ kind }) => kind !== "untrusted") : findings;
  const kind = worstOf(counted.map((finding) => finding.kind));
  if (kind !== undefined) return { ok: false, code: exitCodes[kind], verdict: "refused" };
  return { ok: true, code: 0, verdict: integrityOnly ? "integrity-only" : "verified" };
}

/** What verification says: a verdict that fails closed, and every finding with code, place and what to do. */
import { type ErrorCode, exitCodes, type Finding } from "../domain/errors.ts";
import type { Manifest } from "../bundle/manifest.ts";

export interface Verdict {
  ok: boolean;
  /** The exit code: 0, or the first of 9 8 7 10 6 11 5 that was found (3 and 4 end verification at once). */
  code: number;
  verdict: "verified" | "integrity-only" | "refused";
  bundle?: {
    profile: string;
    tenant: string;
    bundleDigest: string;
    created: string;
    files: number;
    bytes: number;
    tool: Manifest["tool"];
  };
  signer?: { keyid: string; name: string };
  /** Keys were taken from the bundle's own medium, as asked: the signer proves no origin. */
  trustFromMedia?: true;
  /** What the attestation claims of its signer, where nobody trusted signed it. */
  claimedKeyid?: string;
  /** Payload files whose digest was found right. */
  filesVerified: number;
  findings: Finding[];
  /**
   * What was not verified because it is no part of the bundle; it changes nothing of the verdict.
   */
  notes?: readonly Note[];
}

/**
 * A file beside the manifest that it does not list, how many `more` there are, or that there are
 * too many to look.
 */
export type Note =
  | { reason: "not_listed"; path: string }
  | { reason: "not_listed"; more: number }
  | { reason: "not_searched" };

/** By weight: the exit code is the first of these that was found. */
const order: ErrorCode[] = [
  "manifest",
  "signature",
  "unsafe",
  "unexpected",
  "digest",
  "truncated",
  "missing",
  "base",
  "untrusted",
];

/** Judges: nothing found is success; with `integrityOnly` a missing or unknown signer alone is no refusal, and is reported. */
export function computeVerdict(
  findings: Finding[],
  integrityOnly: boolean,
): Pick<Verdict, "ok" | "code" | "verdict"> {
  const code = order.find((one) => findings.some((f) => f.code === one));
  if (code === undefined && findings.length === 0) {
    return { ok: true, code: 0, verdict: integrityOnly ? "integrity-only" : "verified" };
  }
  if (code === "untrusted" && integrityOnly) {
    return { ok: true, code: 0, verdict: "integrity-only" };
  }
  return { ok: false, code: exitCodes[code ?? "internal"], verdict: "refused" };
}

/**
 * The receipt of a verification: an in-toto Statement with a SLSA Verification Summary, as evidence
 * of what was checked, when, by which build, and with which result. Refusals get one too. Source:
 * in-toto/attestation spec/v1/statement.md; slsa.dev/verification_summary/v1, whose extension
 * fields are named by URIs.
 */
import type { Hash } from "node:crypto";
import { exitCodes, type Finding, StellaError } from "../domain/errors.ts";
import { startSha256 } from "../domain/hash.ts";
import { statementType } from "../attest/statement.ts";
import { attestationName, hmacName, manifestName } from "../bundle/manifest.ts";
import { type BundleSource, readerOf, withOpen } from "../bundle/source.ts";
import type { Verdict } from "./verdict.ts";

const summaryType = "https://slsa.dev/verification_summary/v1";
const extension = "urn:stella:receipt:v1";
/** Receipts are read by people: the first findings are enough. */
const maxFindings = 100;

export interface ReceiptFacts {
  /** SHA-256 of the bytes read, by file name. */
  digests: ReadonlyMap<string, string>;
  /** The verdict, or the error that ended the verification before a verdict. */
  outcome: Verdict | StellaError;
  /** What was loaded into a registry, and under which names. */
  loaded?: readonly object[] | undefined;
  /** Time of the verdict; RFC 3339. */
  time: string;
  build: { version: string; commit: string };
  /** The requested mode. */
  integrityOnly: boolean;
  trustFromMedia: boolean;
}

/** Computes the digests of manifest and signatures while they are read from `source`. */
export function watchProofs(source: BundleSource) {
  const hashes = new Map<string, Hash>();
  const open = async (path: string) => {
    const reader = await source.open(path);
    if (reader === undefined || ![manifestName, attestationName, hmacName].includes(path)) {
      return reader;
    }
    const hash = startSha256();
    hashes.set(path, hash);
    return readerOf(reader, async (buffer) => {
      const length = await reader.read(buffer);
      hash.update(buffer.subarray(0, length));
      return length;
    });
  };
  return {
    source: withOpen(source, open),
    digests: () => new Map([...hashes].map(([path, hash]) => [path, hash.copy().digest("hex")])),
  };
}

/** The encoded statement; undefined if there was no manifest. */
export function encodeReceipt(facts: ReceiptFacts): Uint8Array | undefined {
  const digest = facts.digests.get(manifestName);
  if (digest === undefined) return undefined;
  const passed = !(facts.outcome instanceof StellaError) && facts.outcome.ok;
  const { version, commit } = facts.build;
  return new TextEncoder().encode(JSON.stringify({
    _type: statementType,
    subject: [{ name: manifestName, digest: { sha256: digest } }],
    predicateType: summaryType,
    predicate: {
      verifier: { id: "urn:stella", version: { stella: version, commit } },
      timeVerified: facts.time,
      resourceUri: `urn:stella:bundle:sha256:${digest}`,
      policy: { uri: policyOf(facts) },
      inputAttestations: inputs(facts.digests),
      verificationResult: passed ? "PASSED" : "FAILED",
      verifiedLevels: [passed ? levelOf(facts) : "FAILED"],
      slsaVersion: "1.0",
      [extension]: details(facts),
    },
  }));
}

function policyOf({ integrityOnly }: ReceiptFacts): string {
  return `urn:stella:policy:${integrityOnly ? "integrity-only" : "trusted-signer"}:v1`;
}

/** Our own values: no SLSA level was assessed. */
function levelOf({ integrityOnly }: ReceiptFacts): string {
  return integrityOnly ? "STELLA_INTEGRITY" : "STELLA_TRUSTED_SIGNER";
}

function inputs(digests: ReadonlyMap<string, string>) {
  return [...digests].filter(([path]) => path !== manifestName).map(([uri, sha256]) => ({
    uri,
    digest: { sha256 },
  }));
}

function details({ outcome, trustFromMedia, loaded }: ReceiptFacts) {
  const media = trustFromMedia ? { trustFromMedia } : {};
  if (outcome instanceof StellaError) {
    return { verdict: "refused", code: outcome.exitCode, error: outcome.message, ...media };
  }
  const { verdict, code, bundle, signer, claimedKeyid, filesVerified, findings } = outcome;
  return {
    verdict,
    code,
    ...media,
    bundle,
    signer,
    claimedKeyid,
    filesVerified,
    loaded,
    findings: findings.length,
    firstFindings: findings.slice(0, maxFindings).map(shortly),
  };
}

function shortly({ kind, reason, path, range, line, found, expected }: Finding) {
  return { code: exitCodes[kind], reason, path, range, line, found, expected };
}

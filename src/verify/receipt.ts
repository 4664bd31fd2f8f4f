/**
 * The receipt of a verification: an in-toto Statement whose predicate is a SLSA Verification Summary, for who has to show later
 * what was checked, when, by which build and with which outcome. A refusal gets one as well.
 * Source: in-toto/attestation spec/v1/statement.md; slsa.dev/verification_summary/v1, whose extension fields are named by URIs.
 */
import { exitCodes, type Finding, StellaError } from "../domain/errors.ts";
import { startSha256 } from "../domain/hash.ts";
import { attestationName, hmacName, manifestName } from "../bundle/manifest.ts";
import { type BundleSource, withOpen } from "../bundle/source.ts";
import type { Verdict } from "./verdict.ts";

const statementType = "https://in-toto.io/Statement/v1";
const summaryType = "https://slsa.dev/verification_summary/v1";
const extension = "urn:stella:receipt:v1";
/** A receipt is read by people: of a million findings the first ones say what is wrong. */
const maxFindings = 100;

export interface ReceiptFacts {
  /** sha256 of the bytes that were read, by file name. */
  digests: ReadonlyMap<string, string>;
  /** The verdict, or what ended the verification before there was one. */
  outcome: Verdict | StellaError;
  /** When it ended; RFC 3339. */
  time: string;
  build: { version: string; commit: string };
  /** What was asked for. */
  integrityOnly: boolean;
  trustFromMedia: boolean;
}

/** The digests of manifest and proofs, taken while they are read from `source`. */
export function watchProofs(
  source: BundleSource,
): { source: BundleSource; digests: () => Map<string, string> } {
  const hashes = new Map<string, ReturnType<typeof startSha256>>();
  const open = async (path: string) => {
    const reader = await source.open(path);
    if (reader === undefined || ![manifestName, attestationName, hmacName].includes(path)) {
      return reader;
    }
    const hash = startSha256();
    hashes.set(path, hash);
    return {
      size: reader.size,
      close: () => reader.close(),
      read: async (buffer: Uint8Array) => {
        const length = await reader.read(buffer);
        hash.update(buffer.subarray(0, length));
        return length;
      },
    };
  };
  return {
    source: withOpen(source, open),
    digests: () => new Map([...hashes].map(([path, hash]) => [path, hash.copy().digest("hex")])),
  };
}

/** The statement's bytes; undefined where there was no manifest to make one about. */
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

/** Values of our own: no SLSA level was judged. */
function levelOf({ integrityOnly }: ReceiptFacts): string {
  return integrityOnly ? "STELLA_INTEGRITY" : "STELLA_TRUSTED_SIGNER";
}

function inputs(digests: ReadonlyMap<string, string>) {
  return [...digests].filter(([path]) => path !== manifestName).map(([uri, sha256]) => ({
    uri,
    digest: { sha256 },
  }));
}

function details({ outcome, trustFromMedia }: ReceiptFacts) {
  const media = trustFromMedia ? { trustFromMedia } : {};
  if (outcome instanceof StellaError) {
    return { verdict: "refused", code: outcome.exitCode, error: outcome.message, ...media };
  }
  const { verdict, code, bundle, signer, claimedKeyid, filesVerified, findings } = outcome;
  return {
    verdict,
    code,
    ...media,
    ...(bundle === undefined ? {} : { bundle }),
    ...(signer === undefined ? {} : { signer }),
    ...(claimedKeyid === undefined ? {} : { claimedKeyid }),
    filesVerified,
    findings: findings.length,
    firstFindings: findings.slice(0, maxFindings).map(shortly),
  };
}

function shortly({ code, reason, path, range, line, found, expected }: Finding) {
  return { code: exitCodes[code], reason, path, range, line, found, expected };
}

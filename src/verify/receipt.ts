/**
 * The receipt of a verification: an in-toto Statement with a SLSA Verification Summary, as evidence
 * of what was checked, when, by which build, and with which result. Refusals get one too. Source:
 * in-toto/attestation spec/v1/statement.md; slsa.dev/verification_summary/v1, whose extension
 * fields are named by URIs.
 */
import { Buffer } from "node:buffer";
import type { Hash } from "node:crypto";
import { exitCodes, type Finding, StellaError } from "../domain/errors.ts";
import { sha256Hex, startSha256 } from "../domain/hash.ts";
import { isObject, type JsonObject } from "../domain/json.ts";
import { isName, shown } from "../domain/names.ts";
import { createdSeconds } from "../domain/time.ts";
import type { SeenBundle } from "../attest/trust/seen.ts";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
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
  const { verdict, code, bundle, signer, claimedKeyid, rollback, filesVerified, findings } =
    outcome;
  return {
    verdict,
    code,
    ...media,
    bundle,
    signer,
    claimedKeyid,
    rollback,
    filesVerified,
    loaded,
    findings: findings.length,
    firstFindings: findings.slice(0, maxFindings).map(shortly),
  };
}

function shortly({ kind, reason, path, range, line, found, expected }: Finding) {
  return { code: exitCodes[kind], reason, path, range, line, found, expected };
}

/** Bytes; a receipt names at most a hundred findings. */
export const maxReceiptBytes = 1024 * 1024;

/** The bundle that a receipt found good. */
export interface ReceivedBundle {
  readonly keyid: string;
  readonly bundle: SeenBundle;
}

/**
 * Reads a receipt, signed or not. Its signature is not checked: a receipt is as good as the place
 * where it was kept.
 * @param path for messages
 * @throws StellaError usage if it is no receipt of a good verdict about a bundle with a sequence
 */
export function readReceipt(bytes: Uint8Array, path: string): ReceivedBundle {
  const refused = (found: string) =>
    new StellaError("argument_invalid", `Cannot use the receipt ${shown(path)}: ${found}`, {
      hint: "name a receipt of a bundle with a sequence that was verified: `--receipt` writes one",
    });
  const statement = statementIn(bytes);
  if (statement === undefined) throw refused("it is not a receipt");
  const predicate = at(statement, "predicate");
  const details = at(predicate, extension);
  const [bundle, keyid] = [at(details, "bundle"), at(details, "signer")?.["keyid"]];
  const isGood = predicate?.["verificationResult"] === "PASSED" &&
    details?.["verdict"] === "verified";
  if (!isGood || typeof keyid !== "string") throw refused("the bundle was not verified");
  const seen = seenIn(bundle);
  if (seen === undefined) throw refused("the bundle had no sequence");
  return { keyid, bundle: seen };
}

function statementIn(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseStrict(bytes);
    if (!isObject(value)) return undefined;
    const payload = at(value, "dsseEnvelope")?.["payload"];
    const statement = typeof payload === "string"
      ? parseStrict(Buffer.from(payload, "base64"))
      : value;
    if (!isObject(statement) || statement["predicateType"] !== summaryType) return undefined;
    return statement;
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}

function at(object: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = object?.[name];
  return isObject(value) ? value : undefined;
}

function seenIn(bundle: JsonObject | undefined): SeenBundle | undefined {
  const { profile, tenant, sequence, state, bundleDigest, created } = bundle ?? {};
  const isSequence = typeof sequence === "number" && Number.isSafeInteger(sequence) && sequence > 0;
  const names = typeof profile === "string" && typeof tenant === "string" && isName(profile) &&
    isName(tenant);
  const isDigest = (value: unknown): value is string =>
    typeof value === "string" && sha256Hex.test(value);
  if (!isSequence || !names || !isDigest(state) || !isDigest(bundleDigest)) return undefined;
  if (typeof created !== "string" || createdSeconds(created) === undefined) return undefined;
  return { tenant, profile, sequence, state, bundleDigest, created };
}

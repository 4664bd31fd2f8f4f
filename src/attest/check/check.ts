/**
 * Checks attestations. `verifyEnvelope` accepts what DSSE and sigstore allow (both base64 forms,
 * unknown fields); `checkAttestation` also demands the one encoding that stella writes, so that no
 * byte of the file can change unnoticed.
 *
 * An invalid signature and a valid one by an unknown key differ: `signature` findings end
 * verification, an unknown signer does not stop the other checks, and neither is success.
 */
import { type Finding, finding, messageOf, type ReasonOf } from "../../domain/errors.ts";
import { isObject, type JsonObject } from "../../domain/json.ts";
import { Buffer } from "node:buffer";
import { verify } from "node:crypto";
import { sha256 } from "../../domain/hash.ts";
import { shown } from "../../domain/names.ts";
import { mediaTypes } from "../../bundle/manifest.ts";
import { parseStrict } from "../../bundle/strict_json.ts";
import {
  type Attestation,
  digestOf,
  encodeBundle,
  type Envelope,
  payloadType,
  preAuthEncoding,
} from "../dsse.ts";
import { manifestSubject, predicateType, statementType } from "../statement.ts";
import type { TrustedKey } from "./trust.ts";

/** Attestations are small; a larger file is refused unread. */
export const maxAttestationBytes = 4 * 1024 * 1024;

export interface Checked {
  /** The trusted key, or the secret, that made a valid signature. */
  signer?: { keyid: string; name: string };
  /** The signer that the attestation claims; proves nothing by itself. */
  claimedKeyid?: string;
  findings: Finding[];
}

/** A refusal that becomes a finding. */
export class Refused extends Error {
  /** @param expected the value in place of `message`, if two values differ */
  constructor(
    readonly reason: ReasonOf<"signature">,
    message: string,
    readonly expected?: string,
  ) {
    super(message);
  }
}

/**
 * Checks the attestation over the manifest's exact bytes against the trusted keys. Invalid content
 * never throws: it becomes a finding, signature, or untrusted for an unknown signer.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * const read = (name: string) => Deno.readFileSync(`tests/fixtures/golden/plain/${name}`);
 * const [path, manifest] = ["manifest.json.sigstore.json", read("manifest.json")];
 * equal(checkAttestation(path, read(path), manifest, []).findings[0]?.reason, "key_unknown");
 * const cut = manifest.subarray(1);
 * equal(checkAttestation(path, read(path), cut, []).findings[0]?.reason, "subject_mismatch");
 * ```
 */
export function checkAttestation(
  path: string,
  bytes: Uint8Array,
  manifestBytes: Uint8Array,
  trusted: readonly TrustedKey[],
): Checked {
  let claimedKeyid: string | undefined;
  try {
    const attestation = readAttestation(bytes);
    claimedKeyid = checkHint(attestation);
    const signer = findSigner(attestation, trusted);
    checkStatement(attestation, sha256(manifestBytes));
    checkEncoding(bytes, attestation, signer);
    return signer === undefined
      ? { claimedKeyid, findings: [unknownSigner(path, claimedKeyid)] }
      : { signer, claimedKeyid, findings: [] };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const findings = [refusal(path, error)];
    return claimedKeyid === undefined ? { findings } : { claimedKeyid, findings };
  }
}

/**
 * The hint that stella writes; anything else could have any length and would be shown. An
 * additional keyid, which earlier builds wrote, must be equal to it.
 */
function checkHint({ hint, keyid = hint }: Attestation): string {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(hint)) {
    throw new Refused("malformed", `the hint ${shown(hint)} is not the base64 of a SHA-256 digest`);
  }
  if (keyid === hint) return hint;
  throw new Refused("malformed", `the keyid ${shown(keyid)} is not the hint ${hint}`);
}

export function refusal(path: string, error: Refused): Finding {
  return finding(error.reason, {
    path,
    found: error.message,
    ...(error.expected === undefined ? {} : { expected: error.expected }),
    hint: "get it again from its origin: the bundle or its attestation was changed after signing",
  });
}

function unknownSigner(path: string, keyid: string): Finding {
  return finding("key_unknown", {
    path,
    found: `signed by the key ${keyid}, which is not trusted here`,
    hint: "get the signer's public key by a separate route, then use --trust FILE or " +
      "`stella keys trust FILE`",
  });
}

/** Whether one of `keys` made the signature of the envelope, according to the DSSE protocol. */
export function verifyEnvelope(
  envelope: Envelope,
  keys: readonly TrustedKey[],
): TrustedKey | undefined {
  const signed = preAuthEncoding(envelope.payloadType, envelope.payload);
  return keys.find((one) => {
    try {
      return verify(digestOf(one.algorithm), signed, one.key, envelope.signature);
    } catch {
      return false;
    }
  });
}

/** A trusted key that did not sign: invalid; a key that is not trusted: unknown. */
function findSigner(
  attestation: Attestation,
  trusted: readonly TrustedKey[],
): TrustedKey | undefined {
  const signer = verifyEnvelope(attestation, trusted);
  if (signer !== undefined) return signer;
  const named = trusted.find((one) => one.keyid === attestation.hint);
  if (named === undefined) return undefined;
  const fault = `invalid signature for the key ${named.keyid} (${named.name})`;
  throw new Refused("signature_invalid", fault);
}

/** Reads a sigstore bundle v0.3 with a public key hint and a DSSE envelope. */
export function readAttestation(bytes: Uint8Array): Attestation {
  const bundle = parse(bytes, "the attestation");
  if (bundle["mediaType"] !== mediaTypes.attestation) {
    throw new Refused("malformed", `the attestation is not of the type ${mediaTypes.attestation}`);
  }
  const { publicKey } = objectAt(bundle, "verificationMaterial");
  if (!isObject(publicKey)) throw new Refused("malformed", "the attestation names no public key");
  return { ...readDsse(objectAt(bundle, "dsseEnvelope")), hint: textAt(publicKey, "hint") };
}

/** With exactly one signature; both base64 forms and unknown fields, as DSSE demands. */
export function readDsse(envelope: JsonObject): Envelope {
  const signatures = envelope["signatures"];
  const [first] = Array.isArray(signatures) && signatures.length === 1 ? signatures : [];
  if (!isObject(first)) {
    throw new Refused("malformed", "the attestation must have exactly one signature");
  }
  if (envelope["payloadType"] !== payloadType) {
    throw new Refused("payload_type", `the payload is not of the type ${payloadType}`);
  }
  return {
    payloadType,
    payload: base64(textAt(envelope, "payload")),
    signature: base64(textAt(first, "sig")),
    ...(first["keyid"] === undefined ? {} : { keyid: textAt(first, "keyid") }),
  };
}

/** Checks that the payload is provenance of the manifest with this digest. */
export function checkStatement(envelope: Envelope, manifestDigest: string): void {
  const statement = parse(envelope.payload, "the statement");
  if (statement["_type"] !== statementType) {
    throw new Refused("malformed", `the statement is not of the type ${statementType}`);
  }
  if (statement["predicateType"] !== predicateType) {
    throw new Refused("predicate_type", `the predicate is not of the type ${predicateType}`);
  }
  const subjects = Array.isArray(statement["subject"]) ? statement["subject"] : [];
  const ours = subjects.filter((s) => isObject(s) && s["name"] === manifestSubject);
  if (ours.length !== 1) {
    const fault = `the statement has ${ours.length} subjects called ${manifestSubject}, not one`;
    throw new Refused("subject_mismatch", fault);
  }
  const digest = isObject(ours[0]) ? ours[0]["digest"] : undefined;
  const found = isObject(digest) ? digest["sha256"] : undefined;
  if (found !== manifestDigest) {
    const other = typeof found === "string" ? `the SHA-256 ${shown(found)}` : "no single digest";
    throw new Refused(
      "subject_mismatch",
      `manifest.json has the SHA-256 ${manifestDigest}`,
      other,
    );
  }
}

/** Exactly what stella writes, or wrote, with the hint of the key that verified it. */
function checkEncoding(bytes: Uint8Array, attestation: Attestation, signer?: TrustedKey): void {
  const hint = signer?.keyid ?? attestation.hint;
  if (attestation.hint !== hint || !Buffer.from(bytes).equals(encodeBundle(attestation))) {
    throw new Refused("malformed", "the attestation is not in the one encoding of the format");
  }
}

export function parse(bytes: Uint8Array, what: string): JsonObject {
  try {
    const value = parseStrict(bytes);
    if (isObject(value)) return value;
  } catch (error) {
    throw new Refused("malformed", `${what} is not JSON: ${messageOf(error)}`);
  }
  throw new Refused("malformed", `${what} is not a JSON object`);
}

function objectAt(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  if (isObject(value)) return value;
  throw new Refused("malformed", `the attestation has no object ${name}`);
}

function textAt(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value === "string") return value;
  throw new Refused("malformed", `the attestation has no text ${name}`);
}

/** DSSE: "verifiers MUST accept either" standard or URL-safe base64. */
function base64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new Refused("malformed", "base64 is expected");
  return Buffer.from(text, "base64");
}

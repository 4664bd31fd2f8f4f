/**
 * DSSE (secure-systems-lab/dsse, protocol.md and envelope.md) in a sigstore bundle v0.3 (sigstore
 * protobuf-specs, sigstore_bundle.proto), signed by a plain key: without transparency log or clock,
 * so the same attestation has the same bytes every time.
 */
import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { mediaTypes } from "../bundle/manifest.ts";
import { startSha256 } from "../domain/hash.ts";
import { ed25519Fault } from "./ed25519_points.ts";

export const payloadType = "application/vnd.in-toto+json";

/**
 * What is signed: `DSSEv1 LEN(type) type LEN(body) body`, lengths in bytes.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * const body = new TextEncoder().encode("{}");
 * equal(`${preAuthEncoding("text/json", body)}`, "DSSEv1 9 text/json 2 {}");
 * ```
 */
export function preAuthEncoding(type: string, body: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `;
  return Buffer.concat([Buffer.from(head), body]);
}

/** base64 of the SHA-256 of the public key's SPKI: our key id and sigstore's hint. */
export function keyidOf(key: KeyObject): string {
  const spki = key.export({ type: "spki", format: "der" });
  return startSha256().update(spki).digest("base64");
}

export type Algorithm = "ed25519" | "p256";

/** The algorithm of a key, or undefined if it is not supported. */
export function algorithmOf(key: KeyObject): Algorithm | undefined {
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return key.asymmetricKeyType === "ec" && curve === "prime256v1" ? "p256" : undefined;
}

/** The algorithm of a usable public key, or why it cannot be used. */
export function checkPublicKey(key: KeyObject): { algorithm: Algorithm } | { fault: string } {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) return { fault: `its type is ${key.asymmetricKeyType}` };
  const spki = key.export({ type: "spki", format: "der" });
  const fault = algorithm === "ed25519" ? ed25519Fault(spki.subarray(-32)) : undefined;
  return fault === undefined ? { algorithm } : { fault };
}

/** The digest to pass to node:crypto: none for Ed25519, and never its default. */
export function digestOf(algorithm: Algorithm): "sha256" | null {
  return algorithm === "p256" ? "sha256" : null;
}

/** A DSSE envelope with one signature. */
export interface Envelope {
  payloadType: string;
  payload: Uint8Array;
  signature: Uint8Array;
  /** Unsigned: only a hint which key or secret to try. */
  keyid?: string;
}

/** An envelope in a sigstore bundle. */
export interface Attestation extends Envelope {
  /** From `keyidOf`; also unsigned. */
  hint: string;
}

/**
 * The one encoding of an attestation file: fixed key order, standard padded base64, one line feed.
 * The keyid is omitted like in sigstore's own bundles, because cosign skips a signature whose keyid
 * is not the kind of fingerprint it expects. A given keyid is kept.
 */
export function encodeBundle({ hint, ...envelope }: Attestation): Uint8Array {
  const bundle = {
    mediaType: mediaTypes.attestation,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: plainEnvelope(envelope),
  };
  return Buffer.from(JSON.stringify(bundle) + "\n");
}

/** An envelope alone as a file, in the same encoding. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return Buffer.from(JSON.stringify(plainEnvelope(envelope)) + "\n");
}

function plainEnvelope({ payload, payloadType, signature, keyid }: Envelope) {
  const sig = Buffer.from(signature).toString("base64");
  return {
    payload: Buffer.from(payload).toString("base64"),
    payloadType,
    signatures: [{ sig, keyid }],
  };
}

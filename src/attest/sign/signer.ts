/** A Signer signs bytes; its callers know neither the key nor where it is stored. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { StellaError } from "../../domain/errors.ts";
import { isEncrypted } from "./encrypted_key.ts";
import { lowSignature } from "./low_s.ts";
import {
  type Algorithm,
  checkPublicKey,
  digestOf,
  encodeBundle,
  encodeEnvelope,
  keyidOf,
  payloadType,
  preAuthEncoding,
} from "../dsse.ts";
import { macOf, type SharedSecret } from "../secret.ts";

export interface Signer {
  readonly keyid: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/** @throws StellaError config if the key is neither Ed25519 nor P-256 */
export function signerFrom(key: KeyObject, name: string): Signer {
  const publicKey = createPublicKey(key);
  const checked = checkPublicKey(publicKey);
  if ("fault" in checked) {
    throw new StellaError("key_invalid", `Cannot sign with ${name}: ${checked.fault}`, {
      hint: "use an Ed25519 or ECDSA P-256 key",
    });
  }
  return { keyid: keyidOf(publicKey), sign: (bytes) => signed(bytes, key, checked.algorithm) };
}

function signed(bytes: Uint8Array, key: KeyObject, algorithm: Algorithm): Uint8Array {
  const digest = digestOf(algorithm);
  if (algorithm !== "p256") return sign(digest, bytes, key);
  return lowSignature(sign(digest, bytes, { key, dsaEncoding: "ieee-p1363" }));
}

/**
 * @param name for messages
 * @param passphrase given only if the key is protected by one
 * @throws StellaError config if the PEM (PKCS#8) is not a private key, or the passphrase is wrong
 */
export function privateKeyFrom(pem: string, name: string, passphrase?: string): KeyObject {
  if (isEncrypted(pem) !== (passphrase !== undefined)) throw passphraseFault(name, passphrase);
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch (error) {
    throw passphrase === undefined ? noKey(name, error) : notOpened(name, error);
  }
}

function noKey(name: string, cause: unknown): StellaError {
  const text = `Cannot use ${name} as a signing key: not a private key in PEM`;
  return new StellaError("key_invalid", text, {
    cause,
    hint: "make one with `stella keys generate`, or give a PKCS#8 PEM (`openssl pkcs8 -topk8`)",
  });
}

function passphraseFault(name: string, passphrase: string | undefined): StellaError {
  const [reason, hint] = passphrase === undefined
    ? [
      "it is protected by a passphrase",
      "give the file that holds the passphrase with --key-passphrase-file FILE",
    ]
    : [
      "it is not protected by a passphrase, but one was given",
      "leave --key-passphrase-file out, or name the key that it belongs to",
    ];
  return new StellaError("passphrase_invalid", `Cannot use the key ${name}: ${reason}`, { hint });
}

/** OpenSSL reports a wrong passphrase and an unsupported cipher in the same way. */
function notOpened(name: string, cause: unknown): StellaError {
  const text = `Cannot open the key ${name}: wrong passphrase`;
  return new StellaError("passphrase_invalid", text, {
    cause,
    hint: "check the passphrase file; if it is right, the cipher is not supported: convert the " +
      "key with `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256`",
  });
}

/** The attestation file for a statement: a DSSE envelope in a sigstore bundle. */
export function attest(statement: Uint8Array, signer: Signer): Uint8Array {
  const signature = signer.sign(preAuthEncoding(payloadType, statement));
  return encodeBundle({ payloadType, payload: statement, signature, hint: signer.keyid });
}

/** The file `manifest.json.hmac.json`: the envelope with the HMAC by a shared secret. */
export function signWithSecret(secret: SharedSecret, statement: Uint8Array): Uint8Array {
  const signature = macOf(secret, payloadType, statement);
  return encodeEnvelope({ payloadType, payload: statement, keyid: secret.keyid, signature });
}

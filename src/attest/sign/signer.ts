/** A Signer makes the signature over given bytes; which key does it, and where that lies, is its secret. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { StellaError } from "../../errors.ts";
import {
  algorithmOf,
  digestOf,
  encodeBundle,
  keyidOf,
  payloadType,
  preAuthEncoding,
} from "../dsse.ts";

export interface Signer {
  readonly keyid: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/** @throws StellaError usage where the PEM (PKCS#8) is no Ed25519 or P-256 private key */
export function signerFromPem(pem: string, name: string): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new StellaError(
      "usage",
      `Cannot use ${name} as a signing key: it is no private key in PEM`,
      {
        cause: error,
        hint: "make one with `stella keys generate`, or give a PKCS#8 PEM without a passphrase",
      },
    );
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new StellaError(
      "usage",
      `Cannot sign with ${name}: its type is ${key.asymmetricKeyType}`,
      {
        hint: "keys are Ed25519 or ECDSA P-256",
      },
    );
  }
  return {
    keyid: keyidOf(createPublicKey(pem)),
    sign: (bytes) => sign(digestOf(algorithm), bytes, key),
  };
}

/** The attestation file over a statement: a DSSE envelope in a sigstore bundle. */
export function attest(statement: Uint8Array, signer: Signer): Uint8Array {
  const signature = signer.sign(preAuthEncoding(payloadType, statement));
  return encodeBundle({ payloadType, payload: statement, keyid: signer.keyid, signature });
}

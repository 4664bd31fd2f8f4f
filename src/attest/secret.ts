/**
 * Shared secrets, for closed sites where both ends hold the same file. HMAC is symmetric: whoever
 * can verify can also forge. So the signature is a separate file beside the attestation by a key
 * pair, and is never accepted in place of one. The algorithm follows from the label of the key
 * file, never from an envelope: `STELLA SHARED SECRET` means HMAC-SHA256 only.
 */
import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { basename } from "node:path";
import { shown } from "../domain/names.ts";
import { readPrivateFile } from "../domain/regular_file.ts";
import { StellaError } from "../domain/errors.ts";
import { preAuthEncoding } from "./dsse.ts";

/** Bytes: as long as the digest; a shorter secret would be weaker (RFC 2104 section 3). */
const minSecretBytes = 32;
const maxSecretBytes = 1024;
const maxFileBytes = 64 * 1024;

export interface SharedSecret {
  /** `hmac-sha256:` and base64 of 32 bytes derived from the secret without revealing it. */
  keyid: string;
  /** File name without `.key`, for display. */
  name: string;
  /** An opaque object that prints no key material. */
  key: KeyObject;
}

const label = "STELLA SHARED SECRET";
const pemPattern = new RegExp(
  `^\\s*-----BEGIN ${label}-----\\s+([A-Za-z0-9+/=\\s]+?)\\s+-----END ${label}-----\\s*$`,
);

/** The text of a new secret file; 32 random bytes. */
export function newSecret(): string {
  return `-----BEGIN ${label}-----\n${
    randomBytes(minSecretBytes).toString("base64")
  }\n-----END ${label}-----\n`;
}

/**
 * Reads a secret file that only its owner can read. @throws StellaError config, io
 * @param guard called with the path, and then with the status of the opened file
 */
export function readSecret(
  path: string,
  guard: (path: string, opened?: Stats) => void = () => {},
): SharedSecret {
  guard(path);
  const bytes = readPrivateFile("the secret", path, maxFileBytes, (opened) => guard(path, opened));
  const secret = secretFrom(new TextDecoder().decode(bytes), path);
  bytes.fill(0);
  return secret;
}

/** Parses the text of a secret file; `path` is its origin. @throws StellaError usage */
export function secretFrom(text: string, path: string): SharedSecret {
  const bytes = Buffer.from(pemPattern.exec(text)?.[1] ?? "", "base64");
  if (bytes.length < minSecretBytes || bytes.length > maxSecretBytes) {
    const found = pemPattern.test(text)
      ? `it has ${bytes.length} bytes, not ${minSecretBytes} to ${maxSecretBytes}`
      : `not a ${label}`;
    throw new StellaError(
      "secret_invalid",
      `Cannot use ${shown(path)} as a shared secret: ${found}`,
      { hint: "make one with `stella keys generate --algorithm hmac --out FILE`" },
    );
  }
  const key = createSecretKey(bytes);
  bytes.fill(0);
  const id = createHmac("sha256", key).update("stella-hmac-keyid\n").digest("base64");
  return { keyid: `hmac-sha256:${id}`, name: basename(path).replace(/\.key$/, ""), key };
}

/** HMAC-SHA256 over a prefix of its own, then the envelope's pre-authentication encoding. */
export function macOf(secret: SharedSecret, type: string, payload: Uint8Array): Uint8Array {
  const mac = createHmac("sha256", secret.key);
  return mac.update("stella-hmac-sha256\n").update(preAuthEncoding(type, payload)).digest();
}

/** SHA-256 by node:crypto: 1.4 GB/s a core where the streaming digest of @std/crypto reaches a fifth (README, Dependencies). */
import { createHash, type Hash, hash } from "node:crypto";

/** As OCI writes a digest. */
export type Digest = `sha256:${string}`;

/** Lowercase hex of the sha256 of `bytes`. */
export function sha256(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "hex");
}

/** A running sha256; `.digest("hex")` ends it. */
export function startSha256(): Hash {
  return createHash("sha256");
}

export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

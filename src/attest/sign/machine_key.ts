/** The signing key of this machine, which lies in its state directory. */
import { existsSync } from "node:fs";
import { generateKey, loadSigner, type MadeKey, publicOf } from "./keys.ts";
import type { Signer } from "./signer.ts";

/** The key at `path`; the first export creates it. @throws StellaError usage, io */
export function machineSigner(
  path: string,
  passphraseFile?: string,
): { signer: Signer; made?: MadeKey } {
  if (existsSync(path) || passphraseFile !== undefined) {
    return { signer: loadSigner(path, passphraseFile) };
  }
  const made = generateKey(path, "ed25519");
  return { signer: loadSigner(path), made };
}

/** The same key for a service, which looks whether it is still there and makes it but once. */
export function machineKey(path: string) {
  return {
    path,
    find: () => existsSync(path) ? loadSigner(path).keyid : undefined,
    make: () => generateKey(path, "ed25519").keyid,
    publicPem: () => existsSync(path) ? publicOf(path).pem : undefined,
  };
}

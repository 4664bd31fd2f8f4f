/** Key files: `<name>.key` (PKCS#8 PEM, 0600) and `<name>.pub` (SPKI PEM) side by side. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../../domain/errors.ts";
import { ioError } from "../../domain/io_errors.ts";
import { writeNew } from "../../domain/durable.ts";
import { shown } from "../../domain/names.ts";
import { readPrivateFile } from "../../domain/regular_file.ts";
import { type Algorithm, keyidOf } from "../dsse.ts";
import { isOnRemovableMedia } from "../media.ts";
import { newSecret, secretFrom, type SharedSecret } from "../secret.ts";
import { encryptKey, readPassphrase } from "./encrypted_key.ts";
import { privateKeyFrom, type Signer, signerFrom, signerFromPem } from "./signer.ts";

export interface MadeKey {
  keyid: string;
  keyPath: string;
  publicPath: string;
}

export function publicPathOf(keyPath: string): string {
  return keyPath.replace(/\.key$/, "") + ".pub";
}

/**
 * Creates a key pair; neither file may exist. Refused on vfat and exfat, which keep no modes.
 * @param passphraseFile file with the passphrase that protects the key
 * @throws StellaError usage, io
 */
export function generateKey(
  keyPath: string,
  algorithm: Algorithm,
  passphraseFile?: string,
): MadeKey {
  const passphrase = passphraseFile === undefined ? undefined : readPassphrase(passphraseFile);
  const publicPath = publicPathOf(keyPath);
  for (const path of [keyPath, publicPath]) {
    // A dangling link counts as existing: no private key is created unless the public one can be.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
    throw new StellaError("output_exists", `Cannot make a key at ${shown(path)}: the file exists`, {
      hint: "move it away, or name another file with --out",
    });
  }
  makeKeyDirectory(dirname(keyPath));
  const { privateKey, publicKey } = algorithm === "ed25519"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = passphrase === undefined
    ? privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    : encryptKey(privateKey, passphrase);
  writeNew(keyPath, pem, 0o600);
  writeNew(publicPath, publicKey.export({ type: "spki", format: "pem" }).toString(), 0o644);
  return { keyid: keyidOf(publicKey), keyPath, publicPath };
}

/**
 * Creates a shared secret that only its owner can read; the file must not exist, and its file
 * system must keep modes.
 * @throws StellaError usage, io
 */
export function makeSecret(path: string): SharedSecret {
  makeKeyDirectory(dirname(path));
  const text = newSecret();
  writeNew(path, text, 0o600);
  return secretFrom(text, path);
}

function makeKeyDirectory(directory: string): void {
  try {
    if (!existsSync(directory)) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chmodSync(directory, 0o700);
    }
  } catch (error) {
    throw ioError("Cannot make the directory for keys", directory, error);
  }
  if (isOnRemovableMedia(directory)) {
    throw new StellaError(
      "output_unsuitable",
      `Cannot make a key in ${shown(directory)}: it is removable media`,
      {
        hint:
          "use --out on a disk of this machine: that file system keeps no modes, so anybody could read the key",
      },
    );
  }
}

/**
 * Reads a private key file that only its owner can read.
 * @param passphraseFile given if the key is protected by a passphrase
 * @throws StellaError usage
 */
export function loadSigner(keyPath: string, passphraseFile?: string): Signer {
  return signerFromPem(readKey(keyPath), shown(keyPath), passphraseOf(passphraseFile));
}

/** SPKI PEM and keyid of a private key file. @throws StellaError usage */
export function publicOf(keyPath: string, passphraseFile?: string): { pem: string; keyid: string } {
  const name = shown(keyPath);
  const key = privateKeyFrom(readKey(keyPath), name, passphraseOf(passphraseFile));
  const { keyid } = signerFrom(key, name);
  return { pem: createPublicKey(key).export({ type: "spki", format: "pem" }).toString(), keyid };
}

function passphraseOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readPassphrase(file);
}

const maxKeyBytes = 64 * 1024;

function readKey(keyPath: string): string {
  try {
    return new TextDecoder().decode(readPrivateFile("the key", keyPath, maxKeyBytes));
  } catch (error) {
    if (!(error instanceof StellaError) || error.reason !== "path_missing") throw error;
    throw error.reworded(error.message, { hint: "make one with `stella keys generate`" });
  }
}

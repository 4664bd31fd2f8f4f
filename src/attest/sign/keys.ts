/**
 * Key files: `<name>.key` (PKCS#8 PEM, 0600) and `<name>.pub` (SPKI PEM) side by side, and the
 * signing key of this machine, which lies in its state directory.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";
import { writeNew } from "../../domain/durable.ts";
import { shown } from "../../domain/names.ts";
import { readPrivateFile } from "../../domain/regular_file.ts";
import { type Algorithm, keyidOf } from "../dsse.ts";
import { newSecret, secretFrom, type SharedSecret } from "../secret.ts";
import { encryptKey, readPassphrase } from "./encrypted_key.ts";
import { privateKeyFrom, type Signer, signerFrom } from "./signer.ts";

export interface MadeKey {
  keyid: string;
  keyPath: string;
  publicPath: string;
}

/** statfs types of vfat, exfat, iso9660 and udf (Linux, include/uapi/linux/magic.h). */
const removable = new Set([0x4d44, 0x2011bab0, 0x9660, 0x15013346]);

/** Such file systems keep no modes, and their files came with whoever carried them. */
export function isOnRemovableMedia(path: string): boolean {
  return removable.has(statfsSync(path).type);
}

export function publicPathOf(keyPath: string): string {
  return keyPath.replace(/\.key$/, "") + ".pub";
}

/**
 * Creates a key pair; neither file may exist. Refused on vfat and exfat, which keep no modes.
 * @throws StellaError usage, config, conflict, io
 */
export function generateKey(
  keyPath: string,
  algorithm: Algorithm,
  passphraseFile?: string,
): MadeKey {
  const passphrase = passphraseOf(passphraseFile);
  const publicPath = publicPathOf(keyPath);
  for (const path of [keyPath, publicPath]) {
    // A dangling link counts as existing: no private key is created unless the public one can be.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) continue;
    throw new StellaError(
      "output_exists",
      `Cannot generate the key ${shown(path)}: the file exists`,
      {
        hint: "move it away, or name another file with --out",
      },
    );
  }
  makeKeyDirectory(dirname(keyPath));
  const { privateKey, publicKey } = algorithm === "ed25519"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = passphrase === undefined
    ? privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    : encryptKey(privateKey, passphrase);
  writeNew(keyPath, pem, 0o600);
  writeNew(publicPath, publicPemOf(publicKey), 0o644);
  return { keyid: keyidOf(publicKey), keyPath, publicPath };
}

/** Creates a secret for its owner alone, as `generateKey` does. @throws StellaError conflict, io */
export function makeSecret(path: string): SharedSecret {
  makeKeyDirectory(dirname(path));
  const text = newSecret();
  writeNew(path, text, 0o600);
  return secretFrom(text, path);
}

function makeKeyDirectory(directory: string): void {
  tryIo("Cannot make the directory for keys", directory, () => {
    if (existsSync(directory)) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  });
  if (!isOnRemovableMedia(directory)) return;
  const text = `Cannot generate a key in ${shown(directory)}: it is on a removable medium`;
  throw new StellaError("output_unsuitable", text, {
    hint: "use --out on a disk of this machine: anybody could read the key on a file system " +
      "that keeps no modes",
  });
}

/** Reads a private key file that only its owner can read. @throws StellaError config, io */
export function loadSigner(keyPath: string, passphraseFile?: string): Signer {
  return signerFrom(readKey(keyPath, passphraseFile), shown(keyPath));
}

/** SPKI PEM and keyid of a private key file. @throws StellaError config, io */
export function publicOf(keyPath: string, passphraseFile?: string): { pem: string; keyid: string } {
  const key = readKey(keyPath, passphraseFile);
  return { pem: publicPemOf(createPublicKey(key)), keyid: signerFrom(key, shown(keyPath)).keyid };
}

function publicPemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

const maxKeyBytes = 64 * 1024;

function readKey(keyPath: string, passphraseFile: string | undefined): KeyObject {
  return privateKeyFrom(readPem(keyPath), shown(keyPath), passphraseOf(passphraseFile));
}

function readPem(keyPath: string): string {
  try {
    return new TextDecoder().decode(readPrivateFile("the key", keyPath, maxKeyBytes));
  } catch (error) {
    if (!(error instanceof StellaError) || error.reason !== "path_missing") throw error;
    throw error.reworded(error.message, { hint: "make one with `stella keys generate`" });
  }
}

function passphraseOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readPassphrase(file);
}

/** The key at `path`; the first export creates it. @throws StellaError config, io */
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

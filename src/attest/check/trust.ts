/**
 * Trusted keys: `*.pub` files (SPKI PEM) that lie where the operator put them. Nothing in a bundle is ever trusted, and no path
 * in or below the bundle, or on the removable medium that it lies on, may add trust unless that is asked for by name.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { ioError, StellaError } from "../../errors.ts";
import { shown } from "../../bundle/names.ts";
import { type Algorithm, algorithmOf, keyidOf } from "../dsse.ts";
import { onRemovable } from "../media.ts";

export interface TrustedKey {
  keyid: string;
  /** File name without `.pub`, for people. */
  name: string;
  path: string;
  algorithm: Algorithm;
  key: KeyObject;
}

/** @throws StellaError usage where the PEM is not an Ed25519 or P-256 public key */
export function readPublicKey(path: string): TrustedKey {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("Cannot read the public key", path, error);
  }
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) {
    throw new StellaError("usage", `Cannot use ${shown(path)} as a public key: it is no SPKI PEM`, {
      hint:
        "a public key begins with -----BEGIN PUBLIC KEY-----; `stella keys show --public` prints one",
    });
  }
  return publicKeyFrom(pem, path);
}

/** A public key from its SPKI PEM; `path` is where it came from. @throws StellaError usage */
export function publicKeyFrom(pem: string, path: string): TrustedKey {
  try {
    const key = createPublicKey(pem);
    const algorithm = algorithmOf(key);
    if (algorithm === undefined) throw new Error(`the key type is ${key.asymmetricKeyType}`);
    return {
      keyid: keyidOf(key),
      name: basename(path).replace(/\.pub$/, ""),
      path,
      algorithm,
      key,
    };
  } catch (error) {
    throw new StellaError("usage", `Cannot use ${shown(path)} as a public key: ${String(error)}`, {
      cause: error,
      hint: "keys are Ed25519 or ECDSA P-256",
    });
  }
}

/** The keys in a directory's `*.pub` files, sorted by name; none where the directory does not exist. */
export function keysInDirectory(directory: string): TrustedKey[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw ioError("Cannot list the trusted keys in", directory, error);
  }
  const keys = names.filter((name) => name.endsWith(".pub")).sort();
  return keys.map((name) => readPublicKey(join(directory, name)));
}

/** What `--trust` names: a file, or a directory with at least one key. */
export function keysAt(path: string): TrustedKey[] {
  let directory: boolean;
  try {
    directory = statSync(path).isDirectory();
  } catch (error) {
    throw ioError("Cannot read the trusted key", path, error);
  }
  if (!directory) return [readPublicKey(path)];
  const keys = keysInDirectory(path);
  if (keys.length > 0) return keys;
  throw new StellaError("usage", `Cannot trust ${shown(path)}: it holds no *.pub file`);
}

/**
 * Refuses trust that came with the bundle: a path in or below its directory, or on the same removable file system.
 * @throws StellaError usage
 */
export function refuseTrustFromMedia(trustPath: string, bundleDirectory: string): void {
  const bundle = realpathSync(bundleDirectory);
  const trust = realpathSync(trustPath);
  // A link in the bundle's directory came with the bundle as well, wherever it points.
  const named = join(realpathSync(dirname(trustPath)), basename(trustPath));
  const below = bundle.endsWith(sep) ? bundle : bundle + sep;
  const inside = [trust, named].some((path) => path === bundle || path.startsWith(below));
  const sameMedium = lstatSync(trust).dev === lstatSync(bundle).dev && onRemovable(trust);
  if (!inside && !sameMedium) return;
  const where = inside ? "in the bundle's own directory" : "on the bundle's own medium";
  throw new StellaError("usage", `Cannot trust ${shown(trustPath)}: it lies ${where}`, {
    hint:
      "who made the bundle could have put it there: get the key another way, or say --trust-from-media",
  });
}

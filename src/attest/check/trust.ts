/**
 * Trusted keys: `*.pub` files (SPKI PEM) that lie where the operator put them. Nothing in a bundle is ever trusted, and no path
 * in or below the bundle, or on the removable medium that it lies on, may add trust unless that is asked for by name.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from "node:path";
import { ioError, messageOf, StellaError } from "../../errors.ts";
import { shown } from "../../bundle/names.ts";
import { readRegular } from "../../bundle/regular_file.ts";
import { type Algorithm, algorithmOf, keyFault, keyidOf } from "../dsse.ts";
import { onRemovable } from "../media.ts";

export interface TrustedKey {
  keyid: string;
  /** File name without `.pub`, for people. */
  name: string;
  path: string;
  algorithm: Algorithm;
  key: KeyObject;
}

/** Bytes; a PEM of ours has 113. */
const largestKey = 64 * 1024;

/** @throws StellaError usage where the PEM is not an Ed25519 or P-256 public key */
export function readPublicKey(path: string): TrustedKey {
  const bytes = readRegular("Cannot read the public key", path, largestKey);
  const pem = new TextDecoder().decode(bytes);
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
  const refused = (reason: string, cause?: unknown) =>
    new StellaError("usage", `Cannot use ${shown(path)} as a public key: ${reason}`, {
      cause,
      hint: "keys are Ed25519 or ECDSA P-256",
    });
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw refused(messageOf(error), error);
  }
  const algorithm = algorithmOf(key);
  const fault = keyFault(key);
  if (algorithm === undefined || fault !== undefined) throw refused(fault ?? "its type is unknown");
  const name = basename(path).replace(/\.pub$/, "");
  return { keyid: keyidOf(key), name, path, algorithm, key };
}

/** Told the path of each key before it is read. @throws to refuse it */
export type KeyGuard = (path: string) => void;

/** The keys in a directory's `*.pub` files, sorted by name; none where the directory does not exist. */
export function keysInDirectory(directory: string, guard: KeyGuard = () => {}): TrustedKey[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw ioError("Cannot list the trusted keys in", directory, error);
  }
  const keys = names.filter((name) => name.endsWith(".pub")).sort();
  return keys.map((name) => {
    const path = join(directory, name);
    guard(path);
    return readPublicKey(path);
  });
}

/** What `--trust` names: a file, or a directory with at least one key. */
export function keysAt(path: string, guard?: KeyGuard): TrustedKey[] {
  let directory: boolean;
  try {
    directory = statSync(path).isDirectory();
  } catch (error) {
    throw ioError("Cannot read the trusted key", path, error);
  }
  if (!directory) return [readPublicKey(path)];
  const keys = keysInDirectory(path, guard);
  if (keys.length > 0) return keys;
  throw new StellaError("usage", `Cannot trust ${shown(path)}: it holds no *.pub file`);
}

/**
 * Refuses trust that came with the bundle: a path in or below its directory, or on the same removable file system, or one that
 * leads there by any of its links, which then say whom to trust wherever they point.
 * @throws StellaError usage
 */
export function refuseTrustFromMedia(trustPath: string, bundleDirectory: string): void {
  const bundle = realpathSync(bundleDirectory);
  const below = bundle.endsWith(sep) ? bundle : bundle + sep;
  const places = [...linksOf(trustPath), realpathSync(trustPath)];
  const inside = places.some((path) => path === bundle || path.startsWith(below));
  const medium = lstatSync(bundle).dev;
  const sameMedium = onRemovable(bundle) && places.some((path) => lstatSync(path).dev === medium);
  if (!inside && !sameMedium) return;
  const where = inside ? "in the bundle's own directory" : "on the bundle's own medium";
  throw new StellaError("usage", `Cannot trust ${shown(trustPath)}: it lies ${where}`, {
    hint:
      "who made the bundle could have put it there: get the key another way, or say --trust-from-media",
  });
}

/** More links than that the system itself does not follow. */
const mostLinks = 40;

/** Where the symbolic links lie that a path leads through, of directories and of the file, each in its real directory. */
function linksOf(path: string): string[] {
  const links: string[] = [];
  let { root: real } = parse(resolve(path));
  const rest = partsOf(resolve(path));
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      real = dirname(real);
      continue;
    }
    const place = join(real, part);
    if (!lstatSync(place).isSymbolicLink()) {
      real = place;
      continue;
    }
    links.push(place);
    if (links.length > mostLinks) throw new Error(`${path} has too many links`);
    const target = readlinkSync(place);
    if (isAbsolute(target)) real = parse(target).root;
    rest.unshift(...partsOf(target));
  }
  return links;
}

function partsOf(path: string): string[] {
  return path.slice(parse(path).root.length).split(sep).filter((part) =>
    part !== "" && part !== "."
  );
}

/** Trusted keys: `*.pub` files (SPKI PEM) that the operator chose, none in a bundle. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { readdirSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { messageOf, StellaError } from "../../domain/errors.ts";
import { errnoOf, ioError, tryIo } from "../../domain/io_errors.ts";
import { shown } from "../../domain/names.ts";
import { readRegular } from "../../domain/regular_file.ts";
import { type Algorithm, checkPublicKey, keyidOf } from "../dsse.ts";

export interface TrustedKey {
  keyid: string;
  /** File name without `.pub`, for display. */
  name: string;
  path: string;
  algorithm: Algorithm;
  key: KeyObject;
}

/** Bytes; our PEM files have 113. */
const maxKeyBytes = 64 * 1024;

/** @throws StellaError usage if the PEM is not an Ed25519 or P-256 public key */
export function readPublicKey(path: string, guard: KeyGuard = () => {}): TrustedKey {
  guard(path);
  const check = (opened: Stats) => guard(path, opened);
  const bytes = readRegular("Cannot read the public key", path, maxKeyBytes, check);
  const pem = new TextDecoder().decode(bytes);
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) {
    const text = `Cannot use ${shown(path)} as a public key: no PEM block PUBLIC KEY in it`;
    throw new StellaError("key_invalid", text, {
      hint: "name a file that begins with -----BEGIN PUBLIC KEY-----, as `stella keys show " +
        "--public` prints it",
    });
  }
  return publicKeyFrom(pem, path);
}

/** Parses a public key from its SPKI PEM; `path` is its origin. @throws StellaError usage */
export function publicKeyFrom(pem: string, path: string): TrustedKey {
  const refused = (reason: string, cause?: unknown) =>
    new StellaError("key_invalid", `Cannot use ${shown(path)} as a public key: ${reason}`, {
      cause,
      hint: "use an Ed25519 or ECDSA P-256 key",
    });
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw refused(messageOf(error), error);
  }
  const checked = checkPublicKey(key);
  if ("fault" in checked) throw refused(checked.fault);
  const name = basename(path).replace(/\.pub$/, "");
  return { keyid: keyidOf(key), name, path, algorithm: checked.algorithm, key };
}

/** Called with each key's path, then with the status of the opened file; throws to refuse. */
export type KeyGuard = (path: string, opened?: Stats) => void;

/** The keys in `*.pub` files, sorted by name; none if the directory does not exist. */
export function keysInDirectory(directory: string, guard: KeyGuard = () => {}): TrustedKey[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw ioError("Cannot list the trusted keys in", directory, error);
  }
  const keys = names.filter((name) => name.endsWith(".pub")).sort();
  return keys.map((name) => readPublicKey(join(directory, name), guard));
}

/** Keys of `--trust`: a file, or a directory with some. @throws StellaError usage, config, io */
export function keysAt(path: string, guard: KeyGuard = () => {}): TrustedKey[] {
  const isDirectory = () => statSync(path).isDirectory();
  if (!tryIo("Cannot read the trusted key", path, isDirectory)) return [readPublicKey(path, guard)];
  guard(path);
  const keys = keysInDirectory(path, guard);
  if (keys.length > 0) return keys;
  throw new StellaError("argument_invalid", `Cannot trust ${shown(path)}: no *.pub file in it`, {
    hint: "name a public key, or a directory that has at least one *.pub file",
  });
}

/** Reads credential files. Errors never repeat their content. */
import { isObject, type Json, type JsonObject } from "../domain/json.ts";
import { existsSync } from "node:fs";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { readPrivateFile, readRegular } from "../domain/regular_file.ts";
import { StellaError } from "../domain/errors.ts";
import { type Credentials, isUsername, Secret } from "./secret.ts";
import { dockerCredentials, isDockerConfig } from "./docker_config.ts";

const maxFileBytes = 64 * 1024;
const action = "Cannot read the credentials";
const dockerHint = 'log in with docker or podman, or write {"username": "...", "password": "..."}';

/**
 * Reads credentials for the repository `name` (`HOST[:PORT]/PATH`) from a file that nobody else can
 * read: `{"username": ..., "password": ...}`, or the format of docker's config.json and podman's
 * auth.json. No message repeats its content.
 * @throws StellaError usage
 */
export function readCredentials(path: string, name: string): Credentials {
  const value = parsed(path, readPrivate(path));
  if (isDockerConfig(value)) {
    const found = dockerCredentials(value, name, (reason) => unfit(path, reason, dockerHint));
    if (found !== undefined) return found;
    throw unfit(path, `no entry for ${name}`, dockerHint);
  }
  const { username, password, ...rest } = value;
  if (!isUsername(username) || typeof password !== "string" || password === "") {
    throw unfit(path, "username and password must be non-empty texts, the username without ':'");
  }
  if (Object.keys(rest).length > 0) throw unfit(path, "there are other fields in it");
  return { username, password: new Secret(password) };
}

/**
 * The entry for the repository `name` in the first file that has one; undefined if there is none.
 * @throws StellaError usage if an existing entry cannot be used
 */
export function readLogins(paths: readonly string[], name: string): Credentials | undefined {
  let fault: unknown;
  for (const path of paths) {
    try {
      const found = readLogin(path, name);
      if (found !== undefined) return found;
    } catch (error) {
      fault ??= error;
    }
  }
  if (fault !== undefined) throw fault;
  return undefined;
}

function readLogin(path: string, name: string): Credentials | undefined {
  if (!existsSync(path)) return undefined;
  // Read before its mode is checked: a file without an entry for this registry is no reason to
  // refuse.
  const value = parsed(path, readRegular(action, path, maxFileBytes));
  const found = dockerCredentials(value, name, (reason) => unfit(path, reason, dockerHint));
  if (found !== undefined) readPrivate(path);
  return found;
}

/** The content of a small file that only its owner can read. @throws StellaError config; io */
export function readPrivate(path: string): Uint8Array {
  return readPrivateFile("the credentials", path, maxFileBytes);
}

function parsed(path: string, bytes: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = parseStrict(withoutMark(bytes));
  } catch (error) {
    // JsonFault may quote a name; only its position is reported.
    throw unfit(
      path,
      error instanceof JsonFault ? `invalid JSON at byte ${error.offset}` : "no JSON",
    );
  }
  if (isObject(value)) return value;
  throw unfit(path, "it must contain a single object");
}

/** Windows editors put a byte order mark before the text. */
function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function unfit(path: string, found: string, hint = 'write {"username": "...", "password": "..."}') {
  return new StellaError(
    "credentials_invalid",
    `Cannot use the credentials ${JSON.stringify(path)}: ${found}`,
    { hint },
  );
}

/**
 * Reads credential files: `{"username": ..., "password": ...}`, or docker's config.json, which is
 * also auth.json of podman and skopeo. Only the file itself is used: credential helpers are other
 * programs, and stella starts none. Errors never repeat content. Source: docker cli, "Credential
 * stores"; containers-auth.json(5).
 */
import { Buffer } from "node:buffer";
import { isObject, type Json, type JsonObject } from "../domain/json.ts";
import { existsSync } from "node:fs";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { readPrivateFile, readRegular } from "../domain/regular_file.ts";
import { StellaError } from "../domain/errors.ts";
import { type Credentials, isUsername, Secret } from "./secret.ts";

const maxFileBytes = 64 * 1024;
const action = "Cannot read the credentials";
const dockerHint = 'log in with docker or podman, or write {"username": "...", "password": "..."}';

/** Those for the repository `name`, `HOST[:PORT]/PATH`, from a private file. */
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

/** The entry for the repository `name` in the first file that has a usable one. */
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
    const found = error instanceof JsonFault ? `invalid JSON at byte ${error.offset}` : "no JSON";
    throw unfit(path, found);
  }
  if (isObject(value)) return value;
  throw unfit(path, "it must contain a single object");
}

/** Windows editors put a byte order mark before the text. */
function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function unfit(path: string, found: string, hint = 'write {"username": "...", "password": "..."}') {
  const text = `Cannot use the credentials ${JSON.stringify(path)}: ${found}`;
  return new StellaError("credentials_invalid", text, { hint });
}

function isDockerConfig(value: JsonObject): boolean {
  return ["auths", "credHelpers", "credsStore"].some((name) => Object.hasOwn(value, name));
}

/** The entry with the longest matching path wins, and one for another path is never used. */
function dockerCredentials(
  config: JsonObject,
  name: string,
  unfit: (reason: string) => Error,
): Credentials | undefined {
  const place = normalized(name);
  const [key, entry] = longestMatch(objectAt(config, "auths") ?? {}, place);
  if (isObject(entry) && Object.keys(entry).length > 0) return entryCredentials(entry, key, unfit);
  const [host = ""] = name.split("/");
  const helper = objectAt(config, "credHelpers")?.[host] ?? (entry && config["credsStore"]);
  if (helper === undefined) return undefined;
  throw unfit(`it uses a credential helper for ${host}, which stella does not run`);
}

function longestMatch(auths: JsonObject, place: string): [string, Json | undefined] {
  const matches = Object.entries(auths).map(([key, entry]) => ({ key: normalized(key), entry }))
    .filter(({ key }) => place === key || place.startsWith(`${key}/`))
    .sort((a, b) => b.key.length - a.key.length);
  const [longest] = matches;
  return [longest?.key ?? place, longest?.entry];
}

function entryCredentials(
  entry: JsonObject,
  key: string,
  unfit: (reason: string) => Error,
): Credentials {
  const { auth, username, password, identitytoken } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "") {
    return { identityToken: new Secret(identitytoken) };
  }
  const [name, secret] = typeof auth === "string" && auth !== ""
    ? split(Buffer.from(auth, "base64").toString("utf8"))
    : [username, password];
  if (isUsername(name) && typeof secret === "string" && secret !== "") {
    return { username: name, password: new Secret(secret) };
  }
  throw unfit(`the entry for ${key} has neither user and password nor an identity token`);
}

function split(pair: string): [string, string] {
  const colon = pair.indexOf(":");
  return colon < 0 ? [pair, ""] : [pair.slice(0, colon), pair.slice(colon + 1)];
}

/** Names of Docker Hub; `docker login` writes the first. */
const hubNames = ["index.docker.io", "registry-1.docker.io", "docker.io"];

/**
 * A key as `registry.site:5000/team`. Keys with a scheme, `https://registry.site:5000/v1/`, are
 * docker's older form: their path is an API version, and they apply to the whole host.
 */
function normalized(key: string): string {
  const [, scheme, rest = ""] = /^(https?:\/\/)?(.*)$/s.exec(key) ?? [];
  const [authority = "", ...path] = rest.split("/").filter((part) => part !== "");
  const host = authority.toLowerCase().replace(/:443$/, "");
  const known = hubNames.includes(host) ? "docker.io" : host;
  return [known, ...(scheme === undefined ? path : [])].join("/");
}

function objectAt(object: JsonObject, name: string): JsonObject | undefined {
  const value = object[name];
  return isObject(value) ? value : undefined;
}

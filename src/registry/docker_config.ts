/**
 * docker's config.json, which podman and skopeo write as well. Only what is in the file is used: helpers are other programs, and
 * stella starts none. Source: docker cli, "Credential stores"; containers-auth.json(5).
 */
import { Buffer } from "node:buffer";
import type { Json, JsonObject } from "../bundle/strict_json.ts";
import { type Credentials, isUsername, Secret } from "./secret.ts";

export function isDockerConfig(value: JsonObject): boolean {
  return ["auths", "credHelpers", "credsStore"].some((name) => Object.hasOwn(value, name));
}

/**
 * What it has for `host`, `HOST[:PORT]`; undefined where it has nothing.
 * @param unfit makes the error for something that is there and cannot be used
 */
export function dockerCredentials(
  config: JsonObject,
  host: string,
  unfit: (reason: string) => Error,
): Credentials | undefined {
  const auths = objectAt(config, "auths") ?? {};
  const [, entry] = Object.entries(auths).find(([name]) => hostOf(name) === host) ?? [];
  if (isObject(entry) && Object.keys(entry).length > 0) return entryCredentials(entry, host, unfit);
  const helper = objectAt(config, "credHelpers")?.[host] ?? (entry && config["credsStore"]);
  if (helper === undefined) return undefined;
  throw unfit(`it leaves ${host} to a credential helper, and stella starts no other program`);
}

function entryCredentials(
  entry: JsonObject,
  host: string,
  unfit: (reason: string) => Error,
): Credentials {
  const { auth, username, password, identitytoken } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "") {
    throw unfit(`it has an identity token for ${host}, and only a user and a password can be used`);
  }
  const [name, secret] = typeof auth === "string" && auth !== ""
    ? split(Buffer.from(auth, "base64").toString("utf8"))
    : [username, password];
  if (isUsername(name) && typeof secret === "string" && secret !== "") {
    return { username: name, password: new Secret(secret) };
  }
  throw unfit(`what it has for ${host} is not a user and a password`);
}

function split(pair: string): [string, string] {
  const colon = pair.indexOf(":");
  return colon < 0 ? [pair, ""] : [pair.slice(0, colon), pair.slice(colon + 1)];
}

/** `registry.site:5000` of a key such as `https://registry.site:5000/v1/`. */
function hostOf(name: string): string {
  return name.replace(/^https?:\/\//, "").replace(/\/.*$/, "").toLowerCase();
}

function objectAt(object: JsonObject, name: string): JsonObject | undefined {
  const value = object[name];
  return isObject(value) ? value : undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The common format of docker's config.json and of auth.json of podman and skopeo. Only the file
 * itself is used: credential helpers are other programs, and stella starts none. Source: docker
 * cli, "Credential stores"; containers-auth.json(5).
 */
import { isObject, type Json, type JsonObject } from "../domain/json.ts";
import { Buffer } from "node:buffer";
import { type Credentials, isUsername, Secret } from "./secret.ts";

export function isDockerConfig(value: JsonObject): boolean {
  return ["auths", "credHelpers", "credsStore"].some((name) => Object.hasOwn(value, name));
}

/**
 * The credentials for the repository `name`, `HOST[:PORT]/PATH`; undefined if there are none. The
 * entry with the longest matching path wins, and one for another path is never used.
 * @param unfit creates the error for an entry that cannot be used
 */
export function dockerCredentials(
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
  const matches = Object.entries(auths)
    .map(([key, entry]) => ({ key: normalized(key), entry }))
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
 * Normalizes a key to `registry.site:5000/team`. Keys with a scheme, such as
 * `https://registry.site:5000/v1/`, are docker's older form: their path is an API version, and they
 * apply to the whole host.
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

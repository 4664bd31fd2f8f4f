/**
 * References, `oci://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]`, and their endpoints. There is no
 * default registry and no default tag: behind an air gap a guess is useless or wrong. Source:
 * distribution-spec 1.1, "Pulling manifests" (names, tags), image-spec descriptor.md (digests).
 */
import { shown } from "./names.ts";
import { StellaError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { isLoopback, isLoopbackHost } from "./loopback.ts";

export interface Reference {
  /** `HOST[:PORT]`, lowercase. */
  authority: string;
  repository: string;
  tag?: string;
  digest?: Digest;
}

export interface Endpoint {
  /** Scheme, host and port; the path is `/`. */
  url: URL;
  /** Plain HTTP was allowed for this registry; otherwise only loopback may use it. */
  plainHttp: boolean;
}

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;
/** A part of a host name: RFC 1123, lowercase. */
export const hostLabel = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostPattern = new RegExp(
  `^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[0-9a-f:.]+\\])(?::[0-9]{1,5})?$`,
);
const maxNameLength = 255;

/**
 * @throws StellaError usage with all faults
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * const expected = { authority: "localhost:5000", repository: "kit", tag: "v1" };
 * deepEqual(parseReference("oci://localhost:5000/kit:v1"), expected);
 * ```
 */
export function parseReference(text: string): Reference {
  refuseCredentials(text);
  const { reference, faults } = readReference(withoutScheme(text));
  if (faults.length === 0) return reference;
  throw unusable(text, faults.join("; "));
}

/** Comes before every other check: no message may repeat a password. @throws StellaError usage */
export function refuseCredentials(text: string): void {
  if (/^(?:[a-z+]*:\/\/|oci:)?[^/]*@/i.test(text)) throw withCredentials();
}

/** A reference without its scheme, and all that is wrong with it. */
export function readReference(text: string): { reference: Reference; faults: string[] } {
  const slash = text.indexOf("/");
  const authority = (slash < 0 ? text : text.slice(0, slash)).toLowerCase();
  const reference = { authority, ...splitPath(slash < 0 ? "" : text.slice(slash + 1)) };
  return { reference, faults: faultsOf(reference) };
}

/** The name of Docker Hub in references; another host serves it. */
export const dockerHub = "docker.io";
const dockerHubHost = "registry-1.docker.io";

/** https, or plain http if it is allowed, or on loopback without a configured CA. */
export function endpointOf(
  { authority }: Pick<Reference, "authority">,
  options: { plainHttp?: boolean; ca?: boolean } = {},
): Endpoint {
  const host = authority === dockerHub ? dockerHubHost : authority;
  const plain = options.plainHttp || (!options.ca && isLoopbackHost(host));
  return parseEndpoint(`${plain ? "http" : "https"}://${host}`, options.plainHttp);
}

/**
 * A registry as configured: `https://HOST[:PORT]`.
 * @throws StellaError usage
 */
export function parseEndpoint(text: string, plainHttp = false): Endpoint {
  const fault = urlFault(text, plainHttp);
  if (fault === "credentials") throw withCredentials();
  const written = /^https?:\/\/([^/?#]+)\/?$/.exec(text.toLowerCase())?.[1] ?? "";
  if (fault === "form" || hostFault(written) !== undefined) {
    const what = `Cannot use the registry ${shown(text)}: not a plain URL`;
    throw new StellaError("reference_invalid", what, {
      hint: "write https://HOST[:PORT] without a path",
    });
  }
  if (fault === undefined) return { url: new URL(new URL(text).origin), plainHttp };
  const what = `Cannot use the registry ${shown(text)}: plain http is not encrypted`;
  throw new StellaError("plain_http", what, {
    hint: "use https, or allow plain http for this registry",
  });
}

/** What is wrong with a URL to connect to, whatever its path; undefined if it can be used. */
export function urlFault(
  text: string,
  plainHttp = false,
): "form" | "credentials" | "plain_http" | undefined {
  const url = URL.parse(text);
  if (/^[^/]*\/\/[^/]*@/.test(text) || url?.username || url?.password) return "credentials";
  if (url === null || !/^https?:$/.test(url.protocol)) return "form";
  const isReadable = url.protocol === "http:" && !plainHttp && !isLoopback(url.hostname);
  return isReadable ? "plain_http" : undefined;
}

/** The host of a URL as connect expects it: IPv6 without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === "https:" ? 443 : 80);
}

/**
 * Whether a registry may refer us to `url`, as its token server or by a redirect: TLS, or plain
 * HTTP to its own host if the registry itself uses that. The egress policy applies as well.
 */
export function mayBeNamedBy(endpoint: Endpoint, url: URL): boolean {
  if (url.username !== "" || url.password !== "") return false;
  if (url.protocol === "https:") return true;
  if (url.protocol !== "http:" || endpoint.url.protocol !== "http:") return false;
  const [own, named] = [hostOf(endpoint.url), hostOf(url)];
  return isLoopback(own) ? isLoopback(named) : endpoint.plainHttp && own === named;
}

/** Whether `text` is a valid `HOST[:PORT]`. */
export function isAuthority(text: string): boolean {
  return text === text.toLowerCase() && hostFault(text) === undefined;
}

/** Whether `tag` is a valid tag. */
export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

/** Whether `name` is a valid repository. */
export function isRepository(name: string): boolean {
  return name.length <= maxNameLength && repositoryPattern.test(name);
}

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

function withoutScheme(text: string): string {
  const found = /^oci:(?:\/\/)?(?!\/)/.exec(text);
  if (found) return text.slice(found[0].length);
  throw unusable(text, "it has no scheme");
}

function splitPath(path: string): { repository: string; tag?: string; digest?: Digest } {
  const at = path.indexOf("@");
  if (at >= 0) return { repository: path.slice(0, at), digest: path.slice(at + 1) as Digest };
  const colon = path.indexOf(":");
  if (colon < 0) return { repository: path };
  return { repository: path.slice(0, colon), tag: path.slice(colon + 1) };
}

function faultsOf(reference: Reference): string[] {
  const { authority, repository, tag, digest } = reference;
  const faults = [hostFault(authority)];
  if (repository === "") faults.push("there is no repository");
  else if (!isRepository(repository)) faults.push(repositoryFault(repository));
  if (tag !== undefined && !isTag(tag)) faults.push(`the tag ${shown(tag)} is not allowed`);
  if (digest !== undefined && !isDigest(digest)) {
    faults.push(`the digest ${shown(digest)} is not sha256 and 64 hex digits`);
  }
  return faults.filter((fault) => fault !== undefined);
}

function repositoryFault(repository: string): string {
  const upper = repository !== repository.toLowerCase() ? ", it must be lowercase" : "";
  return `the repository ${shown(repository)} is not allowed${upper}`;
}

/** Also refuses 127.1 or 0x7f.1, which a URL parser turns into another host than a person reads. */
function hostFault(authority: string): string | undefined {
  if (authority === "") return "there is no host";
  const url = hostPattern.test(authority) ? URL.parse(`http://${authority}`) : null;
  const host = authority.replace(/:[0-9]+$/, "");
  if (url !== null && url.hostname === host && url.port !== "0") return undefined;
  return `the host ${shown(authority)} is not allowed`;
}

function unusable(text: string, found: string): StellaError {
  return new StellaError("reference_invalid", `Cannot use the reference ${shown(text)}: ${found}`, {
    hint: "write oci://HOST[:PORT]/REPOSITORY[:TAG]",
  });
}

function withCredentials(): StellaError {
  const text = "Cannot use the reference: it has credentials in it";
  return new StellaError("reference_invalid", text, { hint: "put them into a credentials file" });
}

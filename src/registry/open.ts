/** Creates a client from configuration: endpoint, trusted authorities and credentials. */
import { StellaError } from "../domain/errors.ts";
import { authorities, readPem } from "../net/authorities.ts";
import { RegistryClient } from "./client.ts";
import { sha256 } from "../domain/hash.ts";
import { type Endpoint, hostOf } from "../domain/reference.ts";
import type { Timing } from "../net/retry.ts";
import { readCredentials, readLogins, readPrivate } from "./credential_files.ts";
import { basic, type Credentials } from "./secret.ts";
import type { UploadMemory } from "./sessions.ts";
import { Transport, type TransportOptions } from "../net/transport.ts";

/** Files are paths; PEM files except for the logins. */
export interface RegistrySettings {
  endpoint: Endpoint;
  /** The repository to access: credentials may depend on its path. */
  repository?: string | undefined;
  /** Hosts that it may redirect reads to, as in `egress.allow`; undefined: any public one. */
  redirects?: readonly string[] | undefined;
  /** The only trusted authorities; otherwise the system's. */
  ca?: string | undefined;
  /** Private: `{username, password}`, or docker's config.json with this registry in it. */
  credentialsFile?: string | undefined;
  /** Of docker and podman, in order of precedence; they need not exist or name this registry. */
  loginFiles?: readonly string[];
  /** The client certificate and its private key: both or none. */
  clientCertificate?: string | undefined;
  clientKey?: string | undefined;
}

export interface RegistryDependencies
  extends Pick<TransportOptions, "policy" | "resolve" | "timeouts"> {
  timing: Timing;
  /** Stores unfinished uploads for the next process. */
  uploads?: UploadMemory | undefined;
}

/** Reads the files; makes no connection yet. @throws StellaError usage, config */
export function openRegistry(
  settings: RegistrySettings,
  { timing, uploads, ...network }: RegistryDependencies,
): RegistryClient {
  const { endpoint, redirects } = settings;
  const credentials = credentialsOf(settings);
  const certificate = certificateOf(settings);
  const transport = new Transport({
    ...network,
    authorities: endpoint.url.protocol === "https:" ? authorities(settings.ca) : [],
    plainHost: endpoint.plainHttp ? hostOf(endpoint.url) : undefined,
    certificate,
  });
  return new RegistryClient({ endpoint, transport, timing, credentials, redirects, uploads });
}

/** Equal for settings with the same credentials; it does not reveal them. */
export function loginKey(settings: RegistrySettings): string {
  const found = credentialsOf(settings);
  if (found === undefined) return "";
  const secret = "password" in found ? basic(found) : found.identityToken;
  return sha256(secret.reveal());
}

function credentialsOf(settings: RegistrySettings): Credentials | undefined {
  const { endpoint, repository, credentialsFile, loginFiles = [] } = settings;
  const { host } = endpoint.url;
  const name = repository === undefined ? host : `${host}/${repository}`;
  if (credentialsFile !== undefined) return readCredentials(credentialsFile, name);
  return readLogins(loginFiles, name);
}

function certificateOf({ endpoint, clientCertificate, clientKey }: RegistrySettings) {
  if (clientCertificate === undefined && clientKey === undefined) return undefined;
  if (clientCertificate === undefined || clientKey === undefined) {
    const what = "Cannot use a client certificate: one of its files is missing";
    throw new StellaError("options_conflict", what, {
      hint: "name both, the certificate and its private key",
    });
  }
  if (endpoint.url.protocol !== "https:") {
    const what = "Cannot use a client certificate: the registry has no https";
    throw new StellaError("options_conflict", what, {
      hint: "use https, or leave the client certificate out",
    });
  }
  const cert = withBlock(clientCertificate, readPem(clientCertificate), "CERTIFICATE");
  const secret = new TextDecoder().decode(readPrivate(clientKey));
  const key = withBlock(clientKey, secret, "(?:[A-Z]+ )?PRIVATE KEY");
  return { cert, key, origin: endpoint.url.origin };
}

/** @throws StellaError config if `text`, the content of `path`, has no such PEM block */
function withBlock(path: string, text: string, label: string): string {
  if (new RegExp(`^-----BEGIN ${label}-----`, "m").test(text)) return text;
  const what = `Cannot use ${JSON.stringify(path)}: not the expected PEM file`;
  throw new StellaError("certificate_invalid", what, {
    hint: "use a PEM CERTIFICATE and an unencrypted PEM PRIVATE KEY",
  });
}

/** Creates a client from configuration: endpoint, trusted authorities and credentials. */
import { StellaError } from "../domain/errors.ts";
import { authorities, readPem } from "../net/authorities.ts";
import { RegistryClient } from "./client.ts";
import { type Endpoint, hostOf } from "../domain/reference.ts";
import type { Timing } from "../net/retry.ts";
import { readCredentials, readLogins, readPrivate } from "./credential_files.ts";
import type { Credentials } from "./secret.ts";
import type { UploadMemory } from "./sessions.ts";
import { Transport, type TransportOptions } from "../net/transport.ts";

export interface RegistrySettings {
  endpoint: Endpoint;
  /** The repository to access: credentials may depend on its path. */
  repository?: string;
  /** Path of a PEM file with the only trusted authorities; otherwise the system's. */
  ca?: string;
  /**
   * Path of a JSON file that only its owner can read: `{username, password}`, or docker's
   * config.json with this registry in it.
   */
  credentialsFile?: string;
  /**
   * Paths of docker and podman login files, in order of precedence; they need not exist or have an
   * entry for this registry.
   */
  loginFiles?: readonly string[];
  /**
   * Paths of PEM files, both or none: the client certificate, and its private key, which only its
   * owner can read.
   */
  clientCertificate?: string;
  clientKey?: string;
}

export interface RegistryDependencies
  extends Pick<TransportOptions, "policy" | "resolve" | "timeouts"> {
  timing: Timing;
  /** Stores unfinished uploads for the next process. */
  uploads?: UploadMemory;
}

/**
 * Reads the files; makes no connection yet.
 * @throws StellaError usage
 */
export function openRegistry(
  settings: RegistrySettings,
  { timing, uploads, ...network }: RegistryDependencies,
): RegistryClient {
  const { endpoint } = settings;
  const credentials = credentialsOf(settings);
  const certificate = certificateOf(settings);
  const transport = new Transport({
    ...network,
    authorities: endpoint.url.protocol === "https:" ? authorities(settings.ca) : [],
    ...(endpoint.plainHttp ? { plainHost: hostOf(endpoint.url) } : {}),
    ...(certificate === undefined ? {} : { certificate }),
  });
  return new RegistryClient({
    endpoint,
    transport,
    timing,
    ...(credentials === undefined ? {} : { credentials }),
    ...(uploads === undefined ? {} : { uploads }),
  });
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
    throw new StellaError(
      "certificate_invalid",
      "Cannot use a client certificate: one of its files is missing",
      { hint: "name both, the certificate and its private key" },
    );
  }
  if (endpoint.url.protocol !== "https:") {
    throw new StellaError(
      "certificate_invalid",
      "Cannot use a client certificate: the registry has no https",
    );
  }
  const cert = withBlock(clientCertificate, readPem(clientCertificate), "CERTIFICATE");
  const secret = new TextDecoder().decode(readPrivate(clientKey));
  const key = withBlock(clientKey, secret, "(?:[A-Z]+ )?PRIVATE KEY");
  return { cert, key, origin: endpoint.url.origin };
}

/** @throws StellaError usage if `text`, the content of `path`, has no such PEM block */
function withBlock(path: string, text: string, label: string): string {
  if (new RegExp(`^-----BEGIN ${label}-----`, "m").test(text)) return text;
  throw new StellaError(
    "certificate_invalid",
    `Cannot use ${JSON.stringify(path)}: not the expected PEM file`,
    { hint: "use a PEM CERTIFICATE and an unencrypted PEM PRIVATE KEY" },
  );
}

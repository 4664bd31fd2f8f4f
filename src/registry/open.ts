/** A client from a configuration: where the registry is, whom it may show as its certificate's signer, and who we are. */
import { existsSync, readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { ioError, StellaError } from "../errors.ts";
import { RegistryClient } from "./client.ts";
import { type Endpoint, hostOf } from "./reference.ts";
import type { Timing } from "./retry.ts";
import { readCredentials } from "./secret.ts";
import { Transport, type TransportOptions } from "./transport.ts";

export interface RegistrySettings {
  endpoint: Endpoint;
  /** Path of a PEM file with the only authorities that are trusted; without one, the system's. */
  ca?: string;
  /** Path of a JSON file `{username, password}` that only its owner can read. */
  credentialsFile?: string;
}

export interface RegistryDependencies
  extends Pick<TransportOptions, "policy" | "resolve" | "timeouts"> {
  timing: Timing;
}

/**
 * Reads the files; talks to nobody yet.
 * @throws StellaError usage
 */
export function openRegistry(
  settings: RegistrySettings,
  { timing, ...network }: RegistryDependencies,
): RegistryClient {
  const { endpoint, credentialsFile } = settings;
  const transport = new Transport({
    ...network,
    authorities: endpoint.url.protocol === "https:" ? authorities(settings.ca) : [],
    ...(endpoint.plainHttp ? { plainHost: hostOf(endpoint.url) } : {}),
  });
  return new RegistryClient({
    endpoint,
    transport,
    timing,
    ...(credentialsFile === undefined ? {} : { credentials: readCredentials(credentialsFile) }),
  });
}

/** Where systems keep the authorities that their owner trusts, an own one of the site included. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Explicit in every case, so that no variable of the environment can add one. `ca` is a path. */
export function authorities(ca: string | undefined): readonly string[] {
  const path = ca ?? bundles.find((bundle) => existsSync(bundle));
  if (path === undefined) return rootCertificates;
  const text = readText(path);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return [text];
  throw new StellaError("usage", `Cannot use ${JSON.stringify(path)}: there is no certificate`, {
    hint: "name a PEM file with the authorities of the registry",
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("Cannot read the certificates", path, error);
  }
}

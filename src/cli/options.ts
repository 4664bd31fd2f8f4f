/** Options that several commands have; a declaration spreads them into its own. */
import type { Flags, Options } from "./command.ts";
import type { Permission } from "../domain/permissions.ts";

/** Trusted keys and secrets. */
export const trustOptions = {
  trust: {
    kind: "text",
    help: "public key, or a directory of *.pub; repeatable",
    value: "path",
    repeat: true,
  },
  secret: {
    kind: "text",
    help: "shared secret that the bundle must be signed with (HMAC-SHA256)",
    value: "file",
  },
  trustFromMedia: {
    kind: "flag",
    help: "accept a --trust key from the bundle's own medium (proves no origin)",
  },
  integrityOnly: { kind: "flag", help: "check integrity only, ignore the signer" },
} as const satisfies Options;

export const registryOptions = {
  plainHttp: {
    kind: "flag",
    help: "use http without TLS for a registry that is not on this machine",
  },
  ca: {
    kind: "text",
    help: "certificate authority of the registry or service, PEM",
    value: "file",
  },
  credentials: {
    kind: "text",
    help: "{username, password}, docker's config.json or podman's auth.json; mode 0600",
    value: "file",
  },
  clientCert: { kind: "text", help: "certificate to show to the registry, PEM", value: "file" },
  clientKey: {
    kind: "text",
    help: "private key of the --client-cert, PEM, mode 0600",
    value: "file",
  },
} as const satisfies Options;

/** For commands run manually or by a timer, where metrics cannot be scraped. */
export const runFileOptions = {
  metricsTextfile: {
    kind: "text",
    help: "write metrics of the run, for node_exporter's textfile collector",
    value: "path",
  },
  report: { kind: "text", help: "write the result with its times, as JSON", value: "file" },
} as const satisfies Options;

/** The option that names a command's bundle. */
export const manifestOption = {
  manifest: { kind: "text", help: "the same as the argument place", value: "place" },
} as const satisfies Options;

const volumesOption = {
  volumes: {
    kind: "text",
    help: "also look for volumes in this directory; repeatable",
    value: "dir",
    repeat: true,
  },
} as const satisfies Options;

/** For every command that verifies a bundle in place. */
export const verifyOptions = {
  ...manifestOption,
  ...volumesOption,
  ...trustOptions,
  ...registryOptions,
  ...runFileOptions,
} as const satisfies Options;

export const passphraseOption = {
  keyPassphraseFile: { kind: "text", help: "passphrase of the key, mode 0600", value: "file" },
} as const satisfies Options;

export const receiptOptions = {
  receipt: {
    kind: "text",
    help: "write what was checked and found, as an in-toto statement",
    value: "file",
  },
  receiptKey: { kind: "text", help: "private key that signs the receipt", value: "file" },
  ...passphraseOption,
} as const satisfies Options;

export const mountOption = {
  mountFrom: {
    kind: "text",
    help: "repository of the same registry that may have the files already; repeatable",
    value: "repository",
    repeat: true,
  },
} as const satisfies Options;

export const tokenOptions = {
  tokenFile: {
    kind: "text",
    help: "access token of the service, mode 0600 (default: STELLA_TOKEN_FILE)",
    value: "file",
  },
  insecureHttp: { kind: "flag", help: "send the token to another machine by plain http" },
} as const satisfies Options;

/** For every command that sends requests to a service. */
export const serviceOptions = {
  server: {
    kind: "text",
    help: "URL of the service (default: STELLA_URL, else http://127.0.0.1:8420)",
    value: "url",
    alias: "url",
  },
  ca: { kind: "text", help: "certificate authority of the service, PEM", value: "file" },
  ...tokenOptions,
} as const satisfies Options;

/** The argument of every command that reads a bundle. */
export const placeArgument = {
  help: "bundle: manifest.json, its directory, a mounted stick, oci://HOST/REPOSITORY:TAG, " +
    "or - for a stream on standard input",
  or: "manifest",
} as const;

/** Whether it names a registry: `oci://...`, or `oci:...` as in skopeo. */
export function isRegistry(place: string | undefined): boolean {
  return place?.startsWith("oci:") === true;
}

/** Of a command that verifies a bundle, which in a registry is read by the network. */
export function verifierNeeds(place: string | undefined): readonly Permission[] {
  return [...isRegistry(place) ? ["net"] as const : [], "env", "sys"];
}

export type TrustFlags = Flags<typeof trustOptions>;
export type RegistryFlags = Flags<typeof registryOptions>;
export type VerifyFlags = Flags<typeof verifyOptions>;
export type ReceiptFlags = Flags<typeof receiptOptions>;
export type RunFileFlags = Flags<typeof runFileOptions>;
export type ServiceFlags = Flags<typeof serviceOptions>;

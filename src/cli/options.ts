/** Options that several commands have; a declaration spreads them into its own. */
import { flag, type Flags, type Options, text } from "./command.ts";
import type { Permission } from "../domain/permissions.ts";

/** Trusted keys and secrets. */
export const trustOptions = {
  trust: text("path", "public key, or a directory of *.pub; repeatable", { repeat: true }),
  secret: text("file", "shared secret that the bundle must be signed with (HMAC-SHA256)"),
  trustFromMedia: flag("accept a --trust key from the bundle's own medium (proves no origin)"),
  integrityOnly: flag("check integrity only, ignore the signer"),
} satisfies Options;

/** What is known of sequences besides what this machine has seen. */
export const sequenceOptions = {
  expectSequence: text("number", "refuse a bundle that is older than this sequence"),
  seen: text(
    "receipt",
    "refuse a bundle that is older than the one of this receipt; repeatable",
    { repeat: true },
  ),
  acceptSequence: text(
    "number",
    "accept the bundle of this sequence, although it is older, or none",
  ),
} satisfies Options;

export const registryOptions = {
  plainHttp: flag("use http without TLS for a registry that is not on this machine"),
  ca: text("file", "certificate authority of the registry or service, PEM"),
  credentials: text(
    "file",
    "{username, password}, docker's config.json or podman's auth.json; mode 0600",
  ),
  clientCert: text("file", "client certificate for the registry, PEM"),
  clientKey: text("file", "private key of --client-cert, PEM, mode 0600"),
} satisfies Options;

/** For commands run manually or by a timer, where metrics cannot be scraped. */
export const runFileOptions = {
  metricsTextfile: text("path", "write metrics of the run, for node_exporter's textfile collector"),
  report: text("file", "write the result with its times, as JSON"),
} satisfies Options;

/** The option that names a command's bundle. */
export const manifestOption = {
  manifest: text("place", "same as the argument place"),
} satisfies Options;

/** For every command that verifies a bundle in place. */
export const verifyOptions = {
  ...manifestOption,
  volumes: text("dir", "also look for volumes in this directory; repeatable", { repeat: true }),
  ...trustOptions,
  ...registryOptions,
  ...runFileOptions,
} satisfies Options;

export const passphraseOption = {
  keyPassphraseFile: text("file", "passphrase of the key, mode 0600"),
} satisfies Options;

export const receiptOptions = {
  receipt: text("file", "write what was checked and found, as an in-toto statement"),
  receiptKey: text("file", "private key that signs the receipt"),
  ...passphraseOption,
} satisfies Options;

export const mountOption = {
  mountFrom: text(
    "repository",
    "repository of the same registry that may already have the files; repeatable",
    { repeat: true },
  ),
} satisfies Options;

export const tokenOptions = {
  tokenFile: text("file", "access token of the service, mode 0600 (default: STELLA_TOKEN_FILE)"),
  insecureHttp: flag("send the token to another machine by plain http"),
} satisfies Options;

/** For every command that sends requests to a service. */
export const serviceOptions = {
  server: text("url", "URL of the service (default: STELLA_URL, else http://127.0.0.1:8420)", {
    alias: "url",
  }),
  ca: text("file", "certificate authority of the service, PEM"),
  ...tokenOptions,
} satisfies Options;

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
export type SequenceFlags = Flags<typeof sequenceOptions>;
export type VerifyFlags = Flags<typeof verifyOptions>;
export type ReceiptFlags = Flags<typeof receiptOptions>;
export type RunFileFlags = Flags<typeof runFileOptions>;
export type ServiceFlags = Flags<typeof serviceOptions>;

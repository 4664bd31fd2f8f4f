/** The verdict on a bundle wherever it lies: trust first, then confinement, then the first byte of the bundle. */
import { existsSync } from "node:fs";
import { refuseOpenedFromMedia, refuseTrustFromMedia } from "../attest/check/key_origin.ts";
import { type KeyGuard, keysAt, keysInDirectory, type TrustedKey } from "../attest/check/trust.ts";
import { readSecret, type SharedSecret } from "../attest/secret.ts";
import type { Manifest } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import { keyDirectory, stateDirectory, trustDirectories } from "../config/paths.ts";
import { grants } from "../config/permissions.ts";
import { confine, type Kept, proveConfined } from "../verify/confine.ts";
import type { ContentOptions } from "../verify/content.ts";
import type { OnFile } from "../verify/on_file.ts";
import { verifyBundle } from "../verify/verify.ts";
import { computeVerdict as judgeFindings, type Verdict } from "../verify/verdict.ts";
import { notesBeside } from "./unlisted_files.ts";
import { breathing } from "./breathe.ts";
import { type BundlePlace, placeOf } from "./bundle_place.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import type { Host } from "./host.ts";
import type { CommonOptions } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import type { ReceiptFlags } from "./receipt.ts";
import type { RegistryFlags } from "./registry_client.ts";

export interface VerifyOptions extends CommonOptions, RegistryFlags, ReceiptFlags {
  manifest?: string;
  trust?: string[];
  secret?: string;
  trustFromMedia?: boolean;
  integrityOnly?: boolean;
  volumes?: string[];
}

/** Of a bundle in a directory; `onFile` looks at the payload on the way. */
export function judge(
  directory: string,
  options: VerifyOptions,
  host: Host,
  tap?: OnFile,
): Promise<Verdict> {
  const place = placeOf(directory, undefined, host);
  return judgePlace(place, options, host, tap === undefined ? {} : { onFile: tap });
}

/** `progress` in place of the line on standard error. */
export type Look = Pick<ContentOptions, "begin" | "onFile" | "progress">;

/** Trust first, then confinement, then the first byte of the bundle. */
export async function judgePlace(
  place: BundlePlace,
  options: VerifyOptions,
  host: Host,
  look: Look,
  keep: readonly Kept[] = [],
): Promise<Verdict> {
  const judges = judgesOf(options, host, ...place.directories);
  confine(Deno.permissions, grants, keep);
  proveConfined(keep);
  let manifest: Manifest | undefined;
  const begin = async (read: Manifest, isRefused: boolean) => {
    manifest = read;
    place.expect?.(read);
    await look.begin?.(read, isRefused);
  };
  const verdict = await judgeSource(place.source, judges, options, host, { ...look, begin });
  // Without a manifest that counts nobody has read on, and what follows is not known to be wrong.
  const rest = manifest === undefined ? [] : await place.rest?.(manifest) ?? [];
  const findings = [...verdict.findings, ...rest];
  const [directory] = place.directories;
  const notes = manifest === undefined || directory === undefined
    ? []
    : notesBeside(directory, manifest);
  return {
    ...verdict,
    ...(notes.length === 0 ? {} : { notes }),
    ...(rest.length === 0 ? {} : judgeFindings(findings, options.integrityOnly ?? false)),
    ...(options.trustFromMedia && verdict.signer !== undefined ? { trustFromMedia: true } : {}),
    findings,
  };
}

/** Whom to believe. */
export interface Judges {
  trusted: TrustedKey[];
  secrets?: SharedSecret[];
}

/** Reads the keys, and the secret; `directories` are where the bundle lies, if it lies in any. */
export function judgesOf(
  options: VerifyOptions,
  host: Host,
  ...directories: readonly string[]
): Judges {
  const guard = guardOf(options, host, directories);
  return { trusted: trustedKeys(options, host, guard), ...secretsOf(options, guard) };
}

/** The verdict on a bundle wherever it is; the caller has given up the permissions that this does not need. */
export async function judgeSource(
  source: BundleSource,
  judges: Judges,
  options: VerifyOptions,
  host: Host,
  look: Look = {},
): Promise<Verdict> {
  const line = new ProgressLine(host, options.quiet === true || options.json === true);
  try {
    return await verifyBundle(breathing(source, host), {
      ...judges,
      progress: (done, total) => line.update("verify", done, total),
      ...look,
      ...(options.integrityOnly ? { integrityOnly: true } : {}),
      workers: chunkWorkers(host),
    });
  } finally {
    line.end();
  }
}

/** A secret on the medium would be no secret. */
function secretsOf({ secret }: VerifyOptions, guard: KeyGuard) {
  return secret === undefined ? {} : { secrets: [readSecret(secret, guard)] };
}

/** Own key, trust directories, --trust; what lies with the bundle is refused. */
function trustedKeys(options: VerifyOptions, host: Host, guard: KeyGuard): TrustedKey[] {
  const state = stateDirectory(host.environment);
  const standing = [
    ...(state === undefined ? [] : [keyDirectory(state)]),
    ...trustDirectories(host.environment),
  ].filter((path) => existsSync(path));
  standing.forEach((path) => guard(path));
  return [
    ...standing.flatMap((path) => keysInDirectory(path, guard)),
    ...(options.trust ?? []).flatMap((path) => keysAt(path, guard)),
  ];
}

/** Refuses keys and secrets that came with the bundle, unless that was asked for. */
function guardOf(
  { trustFromMedia }: VerifyOptions,
  host: Host,
  directories: readonly string[],
): KeyGuard {
  if (trustFromMedia) return () => {};
  const machine = ["/", host.environment("HOME"), stateDirectory(host.environment)]
    .filter((path) => path !== undefined && path !== "") as string[];
  return (path, opened) => {
    // What is not there is said by whoever reads it, and what is opened then is looked at as well.
    if (opened === undefined && !existsSync(path)) return;
    for (const directory of directories) {
      if (opened === undefined) refuseTrustFromMedia(path, directory, machine);
      else refuseOpenedFromMedia(path, opened, directory, machine);
    }
  };
}

/** The verdict on a bundle wherever it lies: trust first, then confinement, then the first byte of the bundle. */
import { existsSync } from "node:fs";
import {
  keysAt,
  keysInDirectory,
  refuseTrustFromMedia,
  type TrustedKey,
} from "../attest/check/trust.ts";
import { readSecret, type SharedSecret } from "../attest/secret.ts";
import type { Manifest } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import { keyDirectory, stateDirectory, trustDirectories } from "../config/paths.ts";
import { grants } from "../config/permissions.ts";
import { confine, type Kept, proveConfined } from "../verify/confine.ts";
import type { ContentOptions } from "../verify/content.ts";
import type { Tap } from "../verify/tap.ts";
import { verifyBundle } from "../verify/verify.ts";
import { judge as judgeFindings, type Verdict } from "../verify/verdict.ts";
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

/** Of a bundle in a directory; `tap` looks at the payload on the way. */
export function judge(
  directory: string,
  options: VerifyOptions,
  host: Host,
  tap?: Tap,
): Promise<Verdict> {
  const place = placeOf(directory, undefined, host);
  return judgePlace(place, options, host, tap === undefined ? {} : { tap });
}

/** `progress` in place of the line on standard error. */
export type Look = Pick<ContentOptions, "begin" | "tap" | "progress">;

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
    await look.begin?.(read, isRefused);
  };
  const verdict = await judgeSource(place.source, judges, options, host, { ...look, begin });
  // Without a manifest that counts nobody has read on, and what follows is not known to be wrong.
  const rest = manifest === undefined ? [] : await place.rest?.(manifest) ?? [];
  if (rest.length === 0) return verdict;
  const findings = [...verdict.findings, ...rest];
  return { ...verdict, ...judgeFindings(findings, options.integrityOnly ?? false), findings };
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
  return { trusted: trustedKeys(options, host, directories), ...secretsOf(options, directories) };
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
function secretsOf({ secret, trustFromMedia }: VerifyOptions, directories: readonly string[]) {
  if (secret === undefined) return {};
  if (!trustFromMedia && existsSync(secret)) {
    for (const directory of directories) refuseTrustFromMedia(secret, directory);
  }
  return { secrets: [readSecret(secret)] };
}

/** Own key, trust directories, --trust; what lies with the bundle is refused. */
function trustedKeys(
  options: VerifyOptions,
  host: Host,
  directories: readonly string[],
): TrustedKey[] {
  const state = stateDirectory(host.environment);
  const standing = [
    ...(state === undefined ? [] : [keyDirectory(state)]),
    ...trustDirectories(host.environment),
  ].filter((path) => existsSync(path));
  const named = options.trust ?? [];
  const guard = (path: string) => {
    if (options.trustFromMedia || !existsSync(path)) return;
    for (const directory of directories) refuseTrustFromMedia(path, directory);
  };
  [...standing, ...named].forEach(guard);
  return [
    ...standing.flatMap((path) => keysInDirectory(path, guard)),
    ...named.flatMap((path) => keysAt(path, guard)),
  ];
}

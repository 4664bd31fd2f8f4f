/** `stella export bundle verify` and `stella verify`: trust first, then confinement, then the first byte of the bundle. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { StellaError } from "../errors.ts";
import {
  keysAt,
  keysInDirectory,
  refuseTrustFromMedia,
  type TrustedKey,
} from "../attest/check/trust.ts";
import { readSecret, type SharedSecret } from "../attest/secret.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../bundle/names.ts";
import type { BundleSource } from "../bundle/source.ts";
import { keyDirectory, stateDirectory, trustDirectories } from "../config/paths.ts";
import { grants } from "../config/permissions.ts";
import { confine, type Kept, proveConfined } from "../verify/confine.ts";
import type { ContentOptions } from "../verify/content.ts";
import type { Tap } from "../verify/tap.ts";
import { verifyBundle } from "../verify/verify.ts";
import { judge as judgeFindings, type Verdict } from "../verify/verdict.ts";
import { breathing } from "./breathe.ts";
import { type BundlePlace, pipe, placeOf } from "./bundle_place.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { openReceipt, type Receipt, type ReceiptFlags } from "./receipt.ts";
import type { RegistryFlags } from "./registry_client.ts";
import { asStellaError, verdictJson, verdictText } from "./render.ts";
import { volumeStates, volumesText } from "./volumes.ts";

export interface VerifyOptions extends CommonOptions, RegistryFlags, ReceiptFlags {
  manifest?: string;
  trust?: string[];
  secret?: string;
  trustFromMedia?: boolean;
  integrityOnly?: boolean;
  volumes?: string[];
}

export async function verifyBundleCommand(
  options: VerifyOptions,
  host: Host,
  args: string[],
): Promise<Result> {
  const named = options.manifest ?? args[0]!;
  const isFound = options.manifest === undefined && named !== pipe && !isReference(named);
  const place = isFound ? findBundle(named) : named;
  const receipt = receiptFor(place, options, host);
  try {
    const { verdict, volumes } = isReference(place)
      ? { verdict: await judgeReference(place, options, host, receipt) }
      : await judgeVolumes(openPlace(place, options, host), options, host, receipt);
    receipt?.end(verdict);
    return verifyResult(verdict, volumes, options);
  } catch (error) {
    receipt?.end(asStellaError(error));
    throw error;
  }
}

/** Where there is no manifest there is nothing that a receipt could be about. */
function receiptFor(place: string, options: VerifyOptions, host: Host): Receipt | undefined {
  const isHere = place === pipe || isReference(place) ||
    existsSync(join(bundleDirectory(place), manifestName));
  return isHere ? openReceipt(options, host) : undefined;
}

async function judgeReference(
  reference: string,
  options: VerifyOptions,
  host: Host,
  receipt: Receipt | undefined,
): Promise<Verdict> {
  if (options.volumes !== undefined) {
    throw new StellaError("usage", "Cannot look for volumes of a bundle in a registry");
  }
  const { judgeThrough } = await import("./verify_registry.ts");
  const watch = (bundle: BundleSource) => receipt?.watch(bundle) ?? bundle;
  return await judgeThrough(reference, options, host, ["net"], watch);
}

async function judgeVolumes(
  place: BundlePlace,
  options: VerifyOptions,
  host: Host,
  receipt: Receipt | undefined,
) {
  let manifest: Manifest | undefined;
  const look = { begin: (read: Manifest) => void (manifest = read) };
  const watched = { ...place, source: receipt?.watch(place.source) ?? place.source };
  const verdict = await judgePlace(watched, options, host, look);
  if (manifest === undefined || place.found === undefined) return { verdict };
  return { verdict, volumes: volumeStates(manifest, verdict, place.found) };
}

function verifyResult(
  verdict: Verdict,
  volumes: ReturnType<typeof volumeStates> | undefined,
  options: VerifyOptions,
): Result {
  const note = options.trustFromMedia && verdict.signer !== undefined
    ? "  The key was taken from the bundle's own medium, as asked: it proves no origin.\n"
    : "";
  return {
    code: verdict.code,
    json: {
      ...verdictJson(verdict),
      ...(note === "" ? {} : { trustFromMedia: true }),
      ...(volumes === undefined ? {} : { volumes }),
      files: options.receipt === undefined ? [] : [options.receipt],
    },
    text: verdictText(verdict) + volumesText(volumes ?? []) + note,
  };
}

/** Whether a person means a registry: `oci://...`, or `oci:...` as skopeo writes it. */
function isReference(text: string): boolean {
  return text.startsWith("oci:");
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

/** What `--manifest` and `--volumes` name; `-` is standard input. @throws StellaError usage */
export function openPlace(named: string, options: VerifyOptions, host: Host): BundlePlace {
  const directory = named === pipe ? pipe : bundleDirectory(named);
  return placeOf(directory, options.volumes, host);
}

export type Look = Pick<ContentOptions, "begin" | "tap">;

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
  const verdict = await judgeSource(place.source, judges, options, host, look);
  // Without a manifest that counts nobody has read on, and what follows is not known to be wrong.
  const rest = verdict.bundle === undefined ? [] : await place.rest?.() ?? [];
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
      ...look,
      ...(options.integrityOnly ? { integrityOnly: true } : {}),
      progress: (done, total) => line.update("verify", done, total),
      workers: chunkWorkers(host.mainUrl),
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
  for (const path of options.trustFromMedia ? [] : [...standing, ...named]) {
    if (!existsSync(path)) continue;
    for (const directory of directories) refuseTrustFromMedia(path, directory);
  }
  return [...standing.flatMap(keysInDirectory), ...named.flatMap(keysAt)];
}

/** The directory that holds the manifest which `--manifest` names, by file or by directory. */
export function bundleDirectory(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return path;
  if (basename(path) !== manifestName) {
    throw new StellaError(
      "usage",
      `Cannot verify ${shown(path)}: it is no directory and not called ${manifestName}`,
      {
        hint: "name the manifest.json of the bundle, or the directory that holds it",
      },
    );
  }
  return dirname(path);
}

/** `PATH/manifest.json`, else the only `PATH/<directory>/manifest.json`: a stick that holds one bundle. */
function findBundle(path: string): string {
  if (basename(path) === manifestName || existsSync(join(path, manifestName))) {
    return bundleDirectory(path);
  }
  const below = foldersOf(path).filter((name) => existsSync(join(path, name, manifestName)));
  if (below.length === 1) return join(path, below[0]!);
  const found = below.length === 0
    ? "it holds no manifest.json"
    : `it holds ${below.length} bundles: ${below.map((name) => shown(name)).join(", ")}`;
  throw new StellaError("usage", `Cannot verify ${shown(path)}: ${found}`, {
    hint: below.length === 0 ? "name the directory that holds manifest.json" : "name one of them",
  });
}

function foldersOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      .map((entry) => entry.name).sort();
  } catch (error) {
    throw new StellaError("usage", `Cannot verify ${shown(path)}: it cannot be listed`, {
      cause: error,
      hint: "check the path, and that the stick is mounted",
    });
  }
}

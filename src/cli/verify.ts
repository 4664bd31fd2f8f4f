/**
 * Verification of bundles wherever they are: keys are read, then permissions are dropped, then the
 * first byte of a bundle is read.
 */
import { existsSync } from "node:fs";
import { refuseOpenedFromMedia, refuseTrustFromMedia } from "../attest/check/key_origin.ts";
import { type KeyGuard, keysAt, keysInDirectory, type TrustedKey } from "../attest/check/trust.ts";
import { readSecret } from "../attest/secret.ts";
import { attestationName, hmacName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { type BundleSource, maxDirectoryBytes } from "../bundle/source.ts";
import { keyDirectories, stateDirectory } from "../config/paths.ts";
import { StellaError, worstExitCode } from "../domain/errors.ts";
import type { ContentOptions } from "../verify/content.ts";
import { computeVerdict, type Note, type Verdict } from "../verify/verdict.ts";
import { verifyBundle } from "../verify/verify.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import { type CommonFlags, flagOf, type Result } from "./command.ts";
import type { Permission } from "../domain/permissions.ts";
import { yieldingSource } from "./event_loop.ts";
import type { Host } from "./host.ts";
import type { ReceiptFlags, SequenceFlags, TrustFlags } from "./options.ts";
import { confineForBundle } from "./permissions.ts";
import type { OpenBundle, Place, PlaceFlags, Trust } from "./open_bundle.ts";
import { placesAt } from "./place.ts";
import { ProgressLine } from "./progress.ts";
import { sequenceCheck } from "./seen.ts";
import { openReceipt, type Receipt } from "./receipt.ts";
import { asStellaError, errorJson, errorText, verdictJson, verdictText } from "./render.ts";
import { type VolumeState, volumeStates, volumesText } from "./volumes.ts";

export type VerifyFlags = TrustFlags & SequenceFlags & PlaceFlags & CommonFlags;

/** What a command does with a bundle while it is verified. */
export interface VerifyHooks extends Pick<ContentOptions, "begin" | "onFile" | "progress"> {
  /** The source to verify in place of the bundle's own. */
  readonly through?: (source: BundleSource) => BundleSource;
}

export interface Verified {
  readonly verdict: Verdict;
  /** Absent where none was read that counts. */
  readonly manifest?: Manifest;
  /** Absent where the verdict says all. */
  readonly volumes?: VolumeState[] | undefined;
}

/** `stella verify PLACE`: one bundle, or each of those that a medium holds. */
export async function verifyPlaces(
  named: string,
  options: VerifyFlags & ReceiptFlags,
  host: Host,
): Promise<Result> {
  const places = await placesAt(named, options, host);
  const [only] = places;
  if (only === undefined || places.length > 1) return await verifyEach(places, options, host);
  const receipt = receiptFor(only, options, host);
  try {
    const through = receipt === undefined ? {} : { through: receipt.watch };
    const verified = await verifyPlace(only, options, host, through);
    receipt?.end(verified.verdict);
    const files = options.receipt === undefined ? [] : [options.receipt];
    return resultOf(verified, host, { files });
  } catch (error) {
    receipt?.end(asStellaError(error));
    throw error;
  }
}

export function resultOf(
  { verdict, volumes }: Verified,
  { paint }: Pick<Host, "paint">,
  more: { files?: readonly string[]; text?: string } = {},
): Result {
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), volumes, files: more.files ?? [] },
    text: verdictText(verdict, paint) + volumesText(volumes ?? []) + (more.text ?? ""),
  };
}

/** Where there is no manifest there is nothing that a receipt could be about. */
function receiptFor(
  { directories: [directory] }: Place,
  options: ReceiptFlags & TrustFlags,
  host: Host,
): Receipt | undefined {
  const isHere = directory === undefined || existsSync(`${directory}/${manifestName}`);
  return isHere ? openReceipt(options, host) : undefined;
}

async function verifyEach(
  places: readonly Place[],
  options: VerifyFlags & ReceiptFlags,
  host: Host,
): Promise<Result> {
  refuseForSeveral(places, options);
  // All keys, before the first bundle: what is on the medium of one is trusted for none.
  const trust = readTrust(options, host, places.flatMap(({ directories }) => directories));
  await confineForBundle(host, places.flatMap(({ needs }) => needs));
  const results: { name: string; result: Result }[] = [];
  for (const place of places) {
    const result = await verifyOpened(place.open(trust), place, trust, options, host)
      .then((verified) => resultOf(verified, host), (thrown) => failed(thrown, host));
    results.push({ name: place.name, result });
  }
  const code = worstExitCode(results.map(({ result }) => result.code ?? 0));
  const bundles = results.map(({ name, result: { code = 0, json } }) => ({
    place: name,
    ok: code === 0,
    code,
    ...json,
  }));
  const text = results.map(({ name, result }) => `${shown(name)}:\n${result.text}`).join("");
  return { code, json: { bundles, files: [] }, text };
}

/** Options that are about one bundle. */
function refuseForSeveral(
  places: readonly Place[],
  { receipt, expectSequence, acceptSequence }: VerifyFlags & ReceiptFlags,
): void {
  const given = Object.entries({ receipt, expectSequence, acceptSequence })
    .filter(([, value]) => value !== undefined).map(([name]) => flagOf(name));
  if (given.length === 0) return;
  const names = places.map(({ name }) => shown(name)).join(", ");
  const what = `Cannot use ${given.join(", ")} for several bundles: ${names}`;
  throw new StellaError("options_conflict", what, { hint: "verify them one by one" });
}

/** One bundle that cannot be verified does not keep the others from it. */
function failed(thrown: unknown, { paint }: Host): Result {
  const error = asStellaError(thrown);
  if (error.kind === "interrupted" || error.kind === "defect") throw thrown;
  const { error: facts, findings } = errorJson("", error);
  return { code: error.exitCode, json: { error: facts, findings }, text: errorText(error, paint) };
}

/** @param keep permissions beside those that the place needs */
export async function verifyPlace(
  place: Place,
  options: VerifyFlags,
  host: Host,
  hooks: VerifyHooks = {},
  keep: readonly Permission[] = [],
): Promise<Verified> {
  const trust = readTrust(options, host, place.directories);
  await confineForBundle(host, [...place.needs, ...keep]);
  return await verifyOpened(place.open(trust), place, trust, options, host, hooks);
}

async function verifyOpened(
  opened: OpenBundle,
  { directories }: Place,
  trust: Trust,
  options: VerifyFlags,
  host: Host,
  { through, ...hooks }: VerifyHooks = {},
): Promise<Verified> {
  let manifest: Manifest | undefined;
  const begin = async (read: Manifest, isRefused: boolean) => {
    manifest = read;
    opened.onManifest?.(read);
    await hooks.begin?.(read, isRefused);
  };
  try {
    const source = through?.(opened.source) ?? opened.source;
    const first = await verifySource(source, trust, options, host, { ...hooks, begin });
    // Without a valid manifest nothing else was read, so nothing is known about the other files.
    if (manifest === undefined) return { verdict: marked(first, options) };
    const more = await opened.remainingFindings?.(manifest, first.ok) ?? [];
    const verdict = marked(withFindings(first, more, options), options);
    const notes = directories[0] === undefined ? [] : unlistedFiles(directories[0], manifest);
    const told = notes.length === 0 ? verdict : { ...verdict, notes };
    return {
      verdict: told,
      manifest,
      volumes: volumeStates(manifest, told, { directories, ...opened }),
    };
  } finally {
    opened.close?.();
  }
}

function withFindings(
  verdict: Verdict,
  more: Verdict["findings"],
  { integrityOnly }: VerifyFlags,
): Verdict {
  if (more.length === 0) return verdict;
  const findings = [...verdict.findings, ...more];
  return { ...verdict, ...computeVerdict(findings, integrityOnly ?? false), findings };
}

function marked(verdict: Verdict, { trustFromMedia }: VerifyFlags): Verdict {
  return trustFromMedia && verdict.signer !== undefined
    ? { ...verdict, trustFromMedia: true }
    : verdict;
}

/** The caller has given up the permissions that this does not need. */
export async function verifySource(
  source: BundleSource,
  trust: Trust,
  options: Pick<VerifyFlags, "quiet" | "json" | "integrityOnly">,
  host: Host,
  hooks: Omit<VerifyHooks, "through"> = {},
): Promise<Verdict> {
  const line = new ProgressLine(host, options.quiet === true || options.json === true);
  try {
    return await verifyBundle(yieldingSource(source, host), {
      ...trust,
      progress: (done, total) => line.update("verify", done, total),
      ...hooks,
      ...options.integrityOnly ? { integrityOnly: true } : {},
      workers: chunkWorkers(host),
    });
  } finally {
    line.end();
  }
}

/**
 * Keys of this machine and of --trust, the secret of --secret, and the sequences that are known.
 * @param directories of the bundle: what comes with it is refused
 */
export function readTrust(
  options: TrustFlags & SequenceFlags,
  host: Pick<Host, "environment">,
  directories: readonly string[] = [],
): Trust {
  const guard = guardFor(options, host, directories);
  const { secret } = options;
  return {
    trusted: trustedKeys(options, host, guard),
    ...secret === undefined ? {} : { secrets: [readSecret(secret, guard)] },
    checkSequence: sequenceCheck(options, host, guard),
  };
}

function trustedKeys(
  { trust = [] }: TrustFlags,
  { environment }: Pick<Host, "environment">,
  guard: KeyGuard,
): TrustedKey[] {
  const defaultPaths = keyDirectories(environment).filter((path) => existsSync(path));
  defaultPaths.forEach((path) => guard(path));
  return [
    ...defaultPaths.flatMap((path) => keysInDirectory(path, guard)),
    ...trust.flatMap((path) => keysAt(path, guard)),
  ];
}

/** Refuses keys and secrets that came with the bundle, unless that was asked for. */
function guardFor(
  { trustFromMedia }: TrustFlags,
  { environment }: Pick<Host, "environment">,
  directories: readonly string[],
): KeyGuard {
  if (trustFromMedia) return () => {};
  const machine = ["/", environment("HOME"), stateDirectory(environment)]
    .flatMap((path) => path === undefined || path === "" ? [] : [path]);
  return (path, opened) => {
    // A path that does not exist is reported by whoever reads it; what is opened is checked too.
    if (opened === undefined && !existsSync(path)) return;
    for (const directory of directories) {
      if (opened === undefined) refuseTrustFromMedia(path, directory, machine);
      else refuseOpenedFromMedia(path, opened, directory, machine);
    }
  };
}

/** Names of unlisted files in a result; a stick may hold any number. */
const maxNotes = 20;

/** Files beside a manifest that it does not list, such as notes: no fault, but not verified. */
function unlistedFiles(directory: string, { files }: Manifest): Note[] {
  if (Deno.statSync(directory).size > maxDirectoryBytes) return [{ reason: "not_searched" }];
  const own = [manifestName, attestationName, hmacName];
  const known = new Set([...own, ...files.map(({ path }) => path)]);
  const names: string[] = [];
  let more = 0;
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    if (isDirectory || known.has(name)) continue;
    if (names.length < maxNotes) names.push(name);
    else more++;
  }
  return [
    ...names.sort().map((path): Note => ({ reason: "not_listed", path })),
    ...more === 0 ? [] : [{ reason: "not_listed", more } as const],
  ];
}

/** `stella export bundle verify` and `stella verify`: which bundle is meant, the verdict on it, and what is left of that. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ioError, StellaError } from "../domain/errors.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { type BundleSource, maxDirectoryBytes } from "../bundle/source.ts";
import { collectEntropy } from "../registry/entropy.ts";
import type { Verdict } from "../verify/verdict.ts";
import { bundleDirectory, type BundlePlace, openPlace, pipe } from "./bundle_place.ts";
import type { Host } from "./host.ts";
import { judgePlace, type VerifyOptions } from "./judge.ts";
import type { Result } from "./program.ts";
import { openReceipt, type Receipt } from "./receipt.ts";
import { asStellaError, verdictJson, verdictText } from "./render.ts";
import { volumeStates, volumesText } from "./volumes.ts";

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
  collectEntropy();
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
  if (manifest === undefined) return { verdict };
  return { verdict, volumes: volumeStates(manifest, verdict, place) };
}

function verifyResult(
  verdict: Verdict,
  volumes: ReturnType<typeof volumeStates> | undefined,
  options: VerifyOptions,
): Result {
  return {
    code: verdict.code,
    json: {
      ...verdictJson(verdict),
      ...(volumes === undefined ? {} : { volumes }),
      files: options.receipt === undefined ? [] : [options.receipt],
    },
    text: verdictText(verdict) + volumesText(volumes ?? []),
  };
}

/** Whether a person means a registry: `oci://...`, or `oci:...` as skopeo writes it. */
function isReference(text: string): boolean {
  return text.startsWith("oci:");
}

/** `PATH/manifest.json`, else the only `PATH/<directory>/manifest.json`: a stick that holds one bundle. */
function findBundle(path: string): string {
  const directory = bundleDirectory(path);
  if (directory !== path || existsSync(join(path, manifestName))) return directory;
  const below = foldersOf(path)
    .filter((name) => existsSync(join(path, name, manifestName)));
  if (below.length === 1) return join(path, below[0]!);
  // The verification says that there is none.
  if (below.length === 0) return path;
  const found = `it holds ${below.length} bundles: ${below.map((name) => shown(name)).join(", ")}`;
  throw new StellaError("usage", `Cannot verify ${shown(path)}: ${found}`, {
    hint: "name one of them",
  });
}

function foldersOf(path: string): string[] {
  try {
    if (statSync(path).size > maxDirectoryBytes) throw crowded(path);
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      .map((entry) => entry.name).sort();
  } catch (error) {
    throw error instanceof StellaError ? error : ioError("Cannot list", path, error);
  }
}

function crowded(path: string): StellaError {
  const text = `Cannot look for a bundle in ${shown(path)}: too many files lie there`;
  return new StellaError("usage", text, { hint: "name the directory of the bundle" });
}

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
import { manifestName } from "../bundle/manifest.ts";
import { shown } from "../bundle/names.ts";
import { type BundleSource, directorySource } from "../bundle/source.ts";
import { keyDirectory, stateDirectory, trustDirectories } from "../config/paths.ts";
import { grants } from "../config/permissions.ts";
import { confine, proveConfined } from "../verify/confine.ts";
import type { Tap } from "../verify/tap.ts";
import { verifyBundle } from "../verify/verify.ts";
import type { Verdict } from "../verify/verdict.ts";
import { breathing } from "./breathe.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import type { RegistryFlags } from "./registry_client.ts";
import { verdictJson, verdictText } from "./render.ts";

export interface VerifyOptions extends CommonOptions, RegistryFlags {
  manifest?: string;
  trust?: string[];
  secret?: string;
  trustFromMedia?: boolean;
  integrityOnly?: boolean;
}

export async function verifyBundleCommand(
  options: VerifyOptions,
  host: Host,
  args: string[],
): Promise<Result> {
  const named = options.manifest ?? args[0]!;
  const verdict = isReference(named)
    ? await (await import("./verify_registry.ts")).judgeInRegistry(named, options, host)
    : await judge(
      options.manifest === undefined ? findBundle(named) : bundleDirectory(named),
      options,
      host,
    );
  const note = options.trustFromMedia && verdict.signer !== undefined
    ? "  The key was taken from the bundle's own medium, as asked: it proves no origin.\n"
    : "";
  return {
    code: verdict.code,
    json: {
      ...verdictJson(verdict),
      ...(note === "" ? {} : { trustFromMedia: true }),
    },
    text: verdictText(verdict) + note,
  };
}

/** Whether a person means a registry: `oci://...`, or `oci:...` as skopeo writes it. */
function isReference(text: string): boolean {
  return text.startsWith("oci:");
}

/** Trust first, then confinement, then the first byte of the bundle; `tap` looks at the payload on the way. */
export async function judge(
  directory: string,
  options: VerifyOptions,
  host: Host,
  tap?: Tap,
): Promise<Verdict> {
  const judges = judgesOf(options, host, directory);
  confine(Deno.permissions, grants);
  proveConfined();
  return await judgeSource(directorySource(directory), judges, options, host, tap);
}

/** Whom to believe. */
export interface Judges {
  trusted: TrustedKey[];
  secrets?: SharedSecret[];
}

/** Reads the keys, and the secret; `directory` is where the bundle lies, if it lies in one. */
export function judgesOf(options: VerifyOptions, host: Host, directory?: string): Judges {
  return { trusted: trustedKeys(options, host, directory), ...secretsOf(options, directory) };
}

/** The verdict on a bundle wherever it is; the caller has given up the permissions that this does not need. */
export async function judgeSource(
  source: BundleSource,
  judges: Judges,
  options: VerifyOptions,
  host: Host,
  tap?: Tap,
): Promise<Verdict> {
  const line = new ProgressLine(host, options.quiet === true || options.json === true);
  try {
    return await verifyBundle(breathing(source, host), {
      ...judges,
      ...(tap === undefined ? {} : { tap }),
      ...(options.integrityOnly ? { integrityOnly: true } : {}),
      progress: (done, total) => line.update("verify", done, total),
      workers: chunkWorkers(host.mainUrl),
    });
  } finally {
    line.end();
  }
}

/** A secret on the medium would be no secret. */
function secretsOf({ secret, trustFromMedia }: VerifyOptions, directory: string | undefined) {
  if (secret === undefined) return {};
  if (directory !== undefined && !trustFromMedia && existsSync(secret)) {
    refuseTrustFromMedia(secret, directory);
  }
  return { secrets: [readSecret(secret)] };
}

/** Own key, trust directories, --trust; what lies with the bundle is refused. */
function trustedKeys(
  options: VerifyOptions,
  host: Host,
  directory: string | undefined,
): TrustedKey[] {
  const state = stateDirectory(host.environment);
  const standing = [
    ...(state === undefined ? [] : [keyDirectory(state)]),
    ...trustDirectories(host.environment),
  ].filter((path) => existsSync(path));
  const named = options.trust ?? [];
  if (directory !== undefined && !options.trustFromMedia) {
    for (const path of [...standing, ...named]) {
      if (existsSync(path)) refuseTrustFromMedia(path, directory);
    }
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

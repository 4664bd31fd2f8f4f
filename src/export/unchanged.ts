/**
 * Whether a new bundle equals the newest stored one of its profile: same index, same options, same
 * keys. Time and version of stella do not count.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  attestationName,
  bundleDigest,
  type BundleFile,
  hmacName,
  manifestName,
} from "../bundle/manifest.ts";
import { readManifest } from "../bundle/read_manifest.ts";
import { imagesName } from "../images/layout.ts";
import { lstatIfThere } from "../output/partial_folder.ts";
import { readManifestIfValid } from "../output/recovery.ts";
import type { ExportReport } from "./report.ts";

/** The bundle in the directory `stored`, if it equals the one in `made`. */
export function sameBundle(made: string, stored: string): ExportReport | undefined {
  const earlier = contentOf(stored);
  return earlier !== undefined && earlier === contentOf(made) ? reportOf(stored) : undefined;
}

/** Undefined where there is no bundle. */
function contentOf(directory: string): string | undefined {
  const manifest = readManifestIfValid(join(directory, manifestName));
  if (manifest === undefined) return undefined;
  const { created: _, tool: __, sequence: ___, files, ...rest } = manifest;
  return JSON.stringify([rest, files.map(contentOfFile), keysOf(directory)]);
}

/**
 * The archive follows from the index; VERIFY.txt and verify.sh from the version. Programs and the
 * list of images count by their digest.
 */
function contentOfFile({ path, role, mediaType, volume, sha256 }: BundleFile) {
  const isCarried = role === "index" || role === "program" || path === imagesName;
  return { path, role, mediaType, volume, ...(isCarried ? { sha256 } : {}) };
}

/** The signing keys: after a change of keys receivers need a new bundle. */
function keysOf(directory: string): unknown[] {
  const hmac = jsonIn(join(directory, hmacName));
  return [keyidIn(directory) ?? null, hmac?.signatures?.map(({ keyid }) => keyid ?? null) ?? null];
}

/** The part of an envelope needed here; see attest/dsse.ts. */
interface SignedEnvelope {
  verificationMaterial?: { publicKey?: { hint?: string } };
  signatures?: { keyid?: string }[];
}

function jsonIn(path: string): SignedEnvelope | undefined {
  return lstatIfThere(path)?.isFile() ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function keyidIn(directory: string): string | undefined {
  return jsonIn(join(directory, attestationName))?.verificationMaterial?.publicKey?.hint;
}

function reportOf(directory: string): ExportReport {
  const bytes = readFileSync(join(directory, manifestName));
  const { profile, tenant, created, sequence, payload, files } = readManifest(bytes);
  return {
    ...{ profile, tenant, created, bundleDigest: bundleDigest(bytes) },
    ...(sequence === undefined ? {} : { sequence }),
    keyid: keyidIn(directory) ?? "",
    bundleBytes: files.reduce((sum, { size }) => sum + size, bytes.length),
    payload: { files: payload.files, bytes: payload.bytes },
    files: readdirSync(directory),
  };
}

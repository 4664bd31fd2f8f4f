/**
 * The way out: profile -> plan -> entries -> archive and index -> manifest -> attestation -> the output directory.
 * Room `export` knows neither metrics nor terminal: stages and bytes go out by callback, and what it is told to sign with is handed in.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import type { SharedSecret } from "../attest/secret.ts";
import { signWithSecret } from "../attest/sign/hmac.ts";
import { attest, type Signer } from "../attest/sign/signer.ts";
import { encodeStatement } from "../attest/statement.ts";
import { archiveName, maxVolumes, volumeName } from "../bundle/archive_writer.ts";
import { type ChunkPool, localPool } from "../bundle/chunk_pool.ts";
import { writeNew } from "../domain/durable.ts";
import { sha256 } from "../domain/hash.ts";
import {
  attestationName,
  bundleDigest,
  type BundleFile,
  type Compression,
  encodeManifest,
  hmacName,
  indexName,
  type Layout,
  type Manifest,
  manifestName,
  mediaTypes,
  type Role,
} from "../bundle/manifest.ts";
import { checkName } from "../domain/names.ts";
import { comparePaths } from "../domain/paths.ts";
import type { PrivateFiles } from "../bundle/private_files.ts";
import { createdText } from "../domain/time.ts";
import type { FilesSource } from "../config/profile.ts";
import { bundleArtifact } from "../registry/artifact.ts";
import type { BuiltinEntry } from "./sources/inputs.ts";
import { pack, type Packed } from "./pack.ts";
import { OutputTransaction, refuseInside } from "../output/output_transaction.ts";
import { makePlan, type Plan } from "./plan.ts";
import { preflight } from "./preflight.ts";
import { type FreeSpace, freeSpaceAt } from "../output/free_space.ts";
import type { ExportProgress, ExportReport, RiskSummary } from "./report.ts";
import type { Prepared } from "./sources/risk.ts";
import { type CarriedProgram, carry, checkPrograms } from "./sources/programs.ts";
import verifyScript from "./verify.sh" with { type: "text" };
import verifyText from "./VERIFY.txt" with { type: "text" };

export interface ExportOptions {
  profile: string;
  tenant: string;
  sources: readonly FilesSource[];
  /** The kit's files. */
  builtin: readonly BuiltinEntry[];
  /** Directory that will hold manifest.json; made where it is missing. */
  directory: string;
  layout: Layout;
  compression: Compression;
  volumeSize?: number;
  /** Seconds since 1970 for `created`; undefined: the newest input's time. */
  epoch?: number;
  /** Carried along: the program itself as `stella`, and builds for other platforms. */
  programs?: readonly CarriedProgram[];
  force: boolean;
  /** Keys, credentials and state of this program: none of these is ever read into the bundle. */
  privateFiles: PrivateFiles;
  signer: Signer;
  /** Makes a second envelope beside the attestation. */
  secret?: SharedSecret;
  tool: { version: string; commit: string };
  uuid: () => string;
  progress: ExportProgress;
  yieldToEventLoop: () => Promise<void>;
  /** Workers for a large export; without them, and for small ones, all is done in place. */
  workers?: (mayRead: boolean) => ChunkPool;
  /** Gets the first bytes of each file that is not empty. */
  seen?: (path: string, head: Uint8Array) => void;
  /** Makes sources and the time for an export that has to be prepared, in a directory that it may make; see risk.ts. */
  prepare?: (scratch: string) => Promise<Prepared>;
  /** What the directory has room for; undefined: the file system is asked. */
  room?: (directory: string) => FreeSpace | undefined;
}

/** Below this many payload bytes starting a worker costs more than it saves; opening a file costs as much as some thousand bytes. */
const workerThreshold = 64 * 1024 * 1024;
const bytesPerOpen = 16 * 1024;

/** Makes the plan only: what an export would pack, with all faults. Nothing is written. */
export function planExport(
  options: Pick<ExportOptions, "sources" | "builtin" | "epoch" | "privateFiles">,
): Plan {
  const { sources, builtin, epoch, privateFiles } = options;
  return makePlan({ sources, builtin, privateFiles, ...(epoch === undefined ? {} : { epoch }) });
}

/**
 * Exports a bundle into `options.directory`.
 * @throws StellaError usage (2), unsafe (9), media (12); the directory is then as it was
 */
export async function exportBundle(options: ExportOptions): Promise<ExportReport> {
  checkName("profile", options.profile);
  checkName("tenant", options.tenant);
  refuseInside(options.directory, options.sources.map((source) => source.path));
  options.progress("plan", 0, 0);
  const room = () => (options.room ?? freeSpaceAt)(options.directory);
  const early = options.prepare === undefined ? planExport(options) : undefined;
  if (early !== undefined) preflight(options, early, room());
  const place = new OutputTransaction({ ...options, uuid: options.uuid() });
  try {
    place.check(neededNames(options));
    const prepared = join(place.partial, "prepared");
    const own = { ...options, privateFiles: options.privateFiles.except(prepared) };
    const { plan, risk } = early === undefined
      ? await planPrepared(own, prepared)
      : { plan: early, risk: undefined };
    if (early === undefined) preflight(options, plan, room());
    const manifest = await writeBundle(own, plan, place.partial);
    options.progress("store", 0, 0);
    const names = writtenNames(manifest, options);
    place.commit(names);
    const made = report(manifest, encodeManifest(manifest), options.signer.keyid, names);
    return { ...made, emptyDirectories: plan.empty, ...(risk === undefined ? {} : { risk }) };
  } finally {
    place.close();
  }
}

/** What is prepared lies in the export's own folder and goes with it. */
async function planPrepared(
  options: ExportOptions,
  prepared: string,
): Promise<{ plan: Plan; risk: RiskSummary[] | undefined }> {
  const { sources, epoch, risk } = await options.prepare!(prepared);
  return {
    plan: planExport({ ...options, sources: [...sources, ...options.sources], epoch }),
    risk,
  };
}

async function writeBundle(options: ExportOptions, plan: Plan, partial: string): Promise<Manifest> {
  const packed = await packPlan(options, plan, partial);
  await options.yieldToEventLoop();
  options.progress("sign", 0, 0);
  const manifest = describe(options, plan, [...packed.files, ...companions(options, partial)]);
  const bytes = encodeManifest(manifest);
  const statement = encodeStatement(provenance(options, manifest, bytes, packed));
  for (const { path } of packed.files) chmodSync(join(partial, path), 0o644);
  writeNew(join(partial, attestationName), attest(statement, options.signer), 0o644);
  if (options.secret !== undefined) {
    writeNew(join(partial, hmacName), signWithSecret(options.secret, statement), 0o644);
  }
  writeNew(join(partial, manifestName), bytes, 0o644);
  return manifest;
}

async function packPlan(options: ExportOptions, plan: Plan, directory: string): Promise<Packed> {
  let done = 0;
  const progress = (bytes: number) => options.progress("read", done += bytes, plan.bytes);
  const isWorth = options.layout === "archive" &&
    plan.bytes + plan.files * bytesPerOpen >= workerThreshold;
  const pool = isWorth ? options.workers?.(true) ?? localPool : localPool;
  try {
    return await pack({ ...options, plan, directory, progress, pool });
  } finally {
    pool.close();
  }
}

/** The files that help without stella, and programs. */
function companions(options: ExportOptions, partial: string): BundleFile[] {
  const files = [
    companion(partial, "VERIFY.txt", "document", verifyText),
    companion(partial, "verify.sh", "script", verifyScript),
  ];
  return [
    ...files,
    ...(options.programs ?? []).map((program) => carry(partial, program, options.privateFiles)),
  ];
}

function companion(
  partial: string,
  path: string,
  role: Role,
  content: string | Uint8Array,
): BundleFile {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const executable = role !== "document";
  writeNew(join(partial, path), bytes, executable ? 0o755 : 0o644);
  return {
    path,
    role,
    ...(executable ? { executable } : {}),
    size: bytes.length,
    sha256: sha256(bytes),
  };
}

function describe(options: ExportOptions, plan: Plan, files: BundleFile[]): Manifest {
  const { layout } = options;
  return {
    schemaVersion: 1,
    mediaType: mediaTypes.manifest,
    profile: options.profile,
    tenant: options.tenant,
    created: createdText(plan.created),
    tool: { name: "stella", ...options.tool },
    payload: { layout, index: indexName, files: plan.files, bytes: plan.bytes },
    files: files.sort((a, b) => comparePaths(a.path, b.path)),
  };
}

function provenance(options: ExportOptions, manifest: Manifest, bytes: Uint8Array, packed: Packed) {
  const { layout, compression, volumeSize, profile, tenant } = options;
  const registryManifest = layout === "directory"
    ? undefined
    : bundleArtifact(manifest, bytes).digest.replace("sha256:", "");
  return {
    bundleDigest: bundleDigest(bytes),
    ...(registryManifest === undefined ? {} : { registryManifest }),
    version: options.tool.version,
    parameters: {
      profile,
      tenant,
      compression,
      layout,
      ...(volumeSize === undefined ? {} : { volumeSize }),
      created: manifest.created,
    },
    sources: packed.sources,
  };
}

/** Names that this export may need, as many volumes as there can be among them. @throws StellaError usage */
function neededNames(options: ExportOptions): string[] {
  const names = [
    attestationName,
    hmacName,
    indexName,
    ...payloadNames(options),
    "VERIFY.txt",
    "verify.sh",
  ];
  const { programs = [] } = options;
  checkPrograms(programs, names);
  return [...names, ...programs.map(({ name }) => name)];
}

function payloadNames({ layout, profile, compression, volumeSize }: ExportOptions): string[] {
  if (layout === "directory") return ["payload"];
  const name = archiveName(profile, compression);
  if (volumeSize === undefined) return [name];
  return Array.from({ length: maxVolumes }, (_, i) => volumeName(name, i + 1));
}

function writtenNames(manifest: Manifest, { secret }: ExportOptions): string[] {
  const payload = manifest.payload.layout === "directory" ? ["payload"] : [];
  const hmacNames = secret === undefined ? [] : [hmacName];
  return [
    manifestName,
    attestationName,
    ...hmacNames,
    ...manifest.files.map((file) => file.path),
    ...payload,
  ];
}

function report(
  manifest: Manifest,
  bytes: Uint8Array,
  keyid: string,
  files: string[],
): ExportReport {
  const stored = manifest.files.reduce((sum, file) => sum + file.size, 0);
  return {
    profile: manifest.profile,
    tenant: manifest.tenant,
    created: manifest.created,
    bundleDigest: bundleDigest(bytes),
    keyid,
    bundleBytes: stored + bytes.length,
    payload: { files: manifest.payload.files, bytes: manifest.payload.bytes },
    files,
  };
}

/** A directory bundle that is asked for with options that only an archive has. @throws StellaError usage */
export function checkLayout(layout: Layout, volumeSize: number | undefined): void {
  if (layout === "archive" || volumeSize === undefined) return;
  throw new StellaError("usage", "Cannot cut a directory bundle into volumes", {
    hint: "leave out --volume-size, or use --layout archive",
  });
}

/**
 * One export of the service, from its profile to all its targets: staged, verified as a stranger would, published, then stored by one
 * rename. The store comes last, so that it has no bundle of an export that failed or was cancelled at a target.
 * The same profile run by hand goes through the same `exportBundle`.
 */
import { StellaError } from "../domain/errors.ts";
import { readSecret } from "../attest/secret.ts";
import { ArtifactCount } from "../domain/artifact_kind.ts";
import { PrivateFiles, type PrivatePlaces } from "../bundle/private_files.ts";
import type { Compression, Layout } from "../bundle/manifest.ts";
import { type EgressPolicy, egressPolicy } from "../domain/egress.ts";
import type { Profile, RegistryConfig } from "../config/profile.ts";
import type { EgressConfig } from "../domain/egress.ts";
import type { RegistryReason } from "../net/failure.ts";
import { systemTiming } from "../net/retry.ts";
import type { UploadSession } from "../registry/sessions.ts";
import { FileStore } from "../store/files/store.ts";
import { checkLayout, exportBundle, type ExportOptions } from "./export.ts";
import type { ExportReport } from "./report.ts";
import { preparation } from "./sources/risk.ts";
import { type Publishing, publishTargets } from "./targets.ts";
import { sameBundle } from "./unchanged.ts";
import { parseVolumeSize } from "./volume_size.ts";

export interface ExportJob {
  exportId: string;
  tenant: string;
  profile: Profile;
  compression?: Compression;
  layout?: Layout;
  /** `fat32`, or a size as a person writes it. */
  volumeSize?: string;
  /** The state directory. */
  state: string;
  registries: RegistryConfig[];
  egress: EgressConfig;
  /** Keys, credentials and state of the service. */
  privatePlaces: PrivatePlaces;
  /**
   * The newest stored bundle of profile and tenant: where nothing changed since, no second copy is
   * kept.
   */
  newest?: { exportId: string };
  /** Uploads to registries that earlier runs have begun, by their key. */
  uploads?: readonly [string, UploadSession][];
}

/** What a job says on its way. */
export type JobEvent =
  | { kind: "progress"; stage: string; done: number; total: number }
  | { kind: "published"; result: "success" | "error" | "conflict" | "skipped" }
  | { kind: "pushed"; registry: string; result: "success" | RegistryReason; seconds: number }
  /** The bundle is whole and signed. */
  | { kind: "signed"; bundleDigest: string }
  /** The bundle equals the stored one of an earlier export, and is not kept. */
  | { kind: "unchanged"; sameAs: string; bundleDigest: string; emptyDirectoryCount?: number }
  | { kind: "verified"; result: "success" | "failed"; reason?: string }
  /** An upload to a registry stands so, or is over: what a later run needs to go on with it. */
  | { kind: "upload"; key: string; session?: UploadSession }
  /** A connection that the configuration does not allow was not made. */
  | { kind: "refused"; destination: string };

/** What the job needs and its room may not know: built-in files, key, build, time, and the verifier. */
export interface JobParts
  extends
    Pick<ExportOptions, "builtin" | "epoch" | "signer" | "tool" | "uuid" | "yieldToEventLoop"> {
  /** Judges the finished bundle in a directory; undefined: good, else the reason. */
  verify(directory: string): Promise<string | undefined>;
}

export type EmitEvent = (event: JobEvent) => void;

/** @throws StellaError: whatever ends the export; targets that failed are tried all, and named together */
export async function runJob(
  job: ExportJob,
  parts: JobParts,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<ExportReport> {
  const store = new FileStore(job.state);
  const staging = store.begin(job.exportId);
  try {
    const count = new ArtifactCount();
    const seen = (path: string, head: Uint8Array) => count.add(path, head);
    const report = await exportBundle({
      ...exportOptions(job, parts, staging, emit, signal),
      seen,
    });
    const earlier = await unchanged(job, parts, store, { staging, made: report });
    if (earlier !== undefined) return await keepEarlier({ job, ...earlier, emit: emit, signal });
    emit({ kind: "signed", bundleDigest: report.bundleDigest });
    emit({ kind: "progress", stage: "verify", done: 0, total: 0 });
    await selfCheck(staging, parts, emit);
    await publishTargets({
      job,
      place: staging,
      report,
      emit: emit,
      signal,
      policy: policyOf(job, emit),
    });
    emit({ kind: "progress", stage: "store", done: 0, total: 0 });
    const { exportId, tenant } = job;
    store.commit({ exportId, tenant, profile: job.profile.name });
    emit({ kind: "published", result: "success" });
    return { ...report, artifacts: count.counts };
  } finally {
    store.abandon(job.exportId);
  }
}

/** The stored bundle that the staged one equals, as long as it still verifies. */
async function unchanged(
  job: ExportJob,
  parts: JobParts,
  store: FileStore,
  { staging, made }: { staging: string; made: ExportReport },
) {
  const { tenant, profile: { name: profile }, newest } = job;
  const place = newest && store.find({ exportId: newest.exportId, tenant, profile });
  if (newest === undefined || place === undefined) return undefined;
  const report = sameBundle(staging, place);
  if (report === undefined || await parts.verify(place) !== undefined) return undefined;
  return { place, report: { ...made, ...report, sameAs: newest.exportId } };
}

/** Targets that lack the stored bundle, because they are new or were emptied, get it. */
async function keepEarlier(
  { job, place, report, emit: emit, signal }: Omit<Publishing, "policy"> & {
    job: ExportJob;
    report: { sameAs: string };
  },
): Promise<ExportReport> {
  const { sameAs, bundleDigest, emptyDirectories: empty } = report;
  const left = empty === undefined ? {} : { emptyDirectoryCount: empty.count };
  emit({ kind: "unchanged", sameAs, bundleDigest, ...left });
  emit({ kind: "verified", result: "success" });
  const policy = policyOf(job, emit);
  await publishTargets({ job, place, report, emit: emit, signal, policy, isRepeated: true });
  return report;
}

function exportOptions(
  job: ExportJob,
  parts: JobParts,
  directory: string,
  emit: EmitEvent,
  signal: AbortSignal,
): ExportOptions {
  const volumeSize = job.volumeSize === undefined ? undefined : parseVolumeSize(job.volumeSize);
  const layout = job.layout ?? "archive";
  checkLayout(layout, volumeSize);
  const { builtin, epoch, signer, tool, uuid, yieldToEventLoop: yieldToEventLoop } = parts;
  const { sources, secretFile } = job.profile;
  const network = { timing: systemTiming, policy: policyOf(job, emit), signal };
  const time = epoch === undefined ? {} : { epoch };
  const privateFiles = new PrivateFiles(job.privatePlaces);
  return {
    ...preparation(job.profile, {
      network,
      sources,
      yieldToEventLoop: yieldToEventLoop,
      privateFiles,
      ...time,
    }),
    privateFiles,
    builtin,
    signer,
    tool,
    uuid,
    yieldToEventLoop: yieldToEventLoop,
    ...time,
    ...(secretFile === undefined ? {} : { secret: readSecret(secretFile) }),
    profile: job.profile.name,
    tenant: job.tenant,
    sources,
    directory,
    layout,
    compression: job.compression ?? job.profile.compression,
    ...(volumeSize === undefined ? {} : { volumeSize }),
    force: false,
    progress: (stage, done, total) => emit({ kind: "progress", stage, done, total }),
  };
}

async function selfCheck(directory: string, parts: JobParts, emit: EmitEvent): Promise<void> {
  const reason = await parts.verify(directory);
  if (reason === undefined) return emit({ kind: "verified", result: "success" });
  emit({ kind: "verified", result: "failed", reason });
  throw new StellaError("digest", `The finished bundle does not verify: ${reason}`, {
    hint: "memory or disk of this machine changed its bytes: check both; nothing was stored",
  });
}

function policyOf(job: ExportJob, emit: EmitEvent): EgressPolicy {
  return egressPolicy(
    job.egress,
    (hostname, port) => emit({ kind: "refused", destination: `${hostname}:${port}` }),
  );
}

/**
 * An export of the service, from its specification to all its targets: staged, verified like a
 * receiver would, published, then stored by one rename. It is stored last, so that the store never
 * has a bundle of an export that failed or was cancelled at a target.
 */
import { StellaError } from "../domain/errors.ts";
import type { Signer } from "../attest/sign/signer.ts";
import { ArtifactCount } from "../domain/artifact_kind.ts";
import type { UploadSession } from "../registry/sessions.ts";
import { FileStore } from "../store/files/store.ts";
import { exportBundle } from "./export.ts";
import type { ExportReport } from "./report.ts";
import type { ExportContext, ExportRequest, ExportSpec } from "./spec.ts";
import { sequencer } from "./sequences.ts";
import { publishTargets } from "./targets.ts";
import { sameBundle } from "./unchanged.ts";

/** Plain data, so that a worker can have it. */
export interface ExportJob {
  readonly exportId: string;
  readonly request: ExportRequest;
  readonly state: string;
  /** The newest stored bundle of profile and tenant: if nothing changed, no second copy is kept. */
  readonly newest?: { readonly exportId: string };
  /** Unfinished uploads to registries of earlier runs, by key. */
  readonly uploads?: readonly [string, UploadSession][];
}

export interface JobKeys {
  readonly signer: Signer;
  /** Why the finished bundle in a directory is not valid; undefined if it is. */
  verify(directory: string): Promise<string | undefined>;
}

export interface JobReport extends ExportReport {
  /** Number of files by kind; see src/domain/artifact_kind.ts. */
  readonly artifacts?: Record<string, number>;
}

/** @throws StellaError; all targets are tried, and all failures named together */
export async function exportToStore(
  { exportId, state, newest }: Pick<ExportJob, "exportId" | "state" | "newest">,
  spec: ExportSpec,
  keys: JobKeys,
  context: ExportContext,
): Promise<JobReport> {
  const { emit } = context;
  const { profile, tenant } = spec;
  const store = new FileStore(state);
  const directory = store.begin(exportId);
  try {
    const count = new ArtifactCount();
    const onFirstBytes = (path: string, head: Uint8Array) => count.add(path, head);
    const counter = { directory: state, tenant, profile, uuid: context.uuid };
    const output = {
      directory,
      force: false,
      signer: keys.signer,
      sequencer: sequencer(counter),
    };
    const report = await exportBundle(spec, output, { ...context, onFirstBytes });
    const place = newest && store.find({ exportId: newest.exportId, tenant, profile });
    const same = place === undefined ? undefined : sameBundle(directory, place);
    if (newest && place && same && await keys.verify(place) === undefined) {
      const earlier = { ...report, ...same, sameAs: newest.exportId };
      const count = report.emptyDirectories?.count;
      const left = count === undefined ? {} : { emptyDirectoryCount: count };
      emit({
        kind: "unchanged",
        sameAs: newest.exportId,
        bundleDigest: same.bundleDigest,
        ...left,
      });
      emit({ kind: "verified", result: "success" });
      const bundle = { exportId, directory: place, report: earlier, isRepeated: true };
      await publishTargets(spec, bundle, context);
      return earlier;
    }
    emit({ kind: "signed", bundleDigest: report.bundleDigest });
    emit({ kind: "progress", stage: "verify", done: 0, total: 0 });
    await verifyFinished(directory, keys, context);
    await publishTargets(spec, { exportId, directory, report }, context);
    emit({ kind: "progress", stage: "store", done: 0, total: 0 });
    store.commit({ exportId, tenant, profile });
    emit({ kind: "published", result: "success" });
    return { ...report, artifacts: count.counts };
  } finally {
    store.abandon(exportId);
  }
}

async function verifyFinished(
  directory: string,
  keys: JobKeys,
  { emit }: ExportContext,
): Promise<void> {
  const reason = await keys.verify(directory);
  if (reason === undefined) return emit({ kind: "verified", result: "success" });
  emit({ kind: "verified", result: "failed", reason });
  throw new StellaError("bundle_damaged", `The finished bundle does not verify: ${reason}`, {
    hint: "check memory and disk of this machine: they changed its bytes; nothing was stored",
  });
}

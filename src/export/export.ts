/** Runs an export, from its specification to the bundle in a directory; see spec.ts. */
import { join } from "node:path";
import type { Signer } from "../attest/sign/signer.ts";
import { archiveName, maxVolumes, volumeName } from "../bundle/archive_writer.ts";
import { writeNew } from "../domain/durable.ts";
import { attestationName, hmacName, indexName } from "../bundle/manifest.ts";
import { imagesName } from "../images/layout.ts";
import { freeSpaceAt } from "../output/free_space.ts";
import { checkPrograms, companionNames, writeCompanions } from "./companions.ts";
import { pack } from "./pack.ts";
import { OutputTransaction, refuseInside } from "../output/output_transaction.ts";
import { type Plan, planExport } from "./plan.ts";
import { preflight } from "./preflight.ts";
import type { ExportReport } from "./report.ts";
import type { Sequencer } from "./sequences.ts";
import { describe, sign, type Signed } from "./sign.ts";
import { type ExportContext, type ExportSpec, localInputs } from "./spec.ts";

export interface ExportOutput {
  /** The directory for manifest.json; created if missing. */
  readonly directory: string;
  readonly force: boolean;
  readonly signer: Signer;
  /** Absent: the bundle gets no sequence. */
  readonly sequencer?: Sequencer | undefined;
}

/**
 * Exports a bundle into `output.directory`.
 * @throws StellaError usage (2), unsafe (9), io (12); the directory is then unchanged
 */
export async function exportBundle(
  spec: ExportSpec,
  { directory, force, signer, sequencer }: ExportOutput,
  context: ExportContext,
): Promise<ExportReport> {
  const { profile, tenant } = spec;
  const uuid = context.uuid();
  const stage = (name: "plan" | "sign" | "store") =>
    context.emit({ kind: "progress", stage: name, done: 0, total: 0 });
  refuseInside(directory, localInputs(spec).map(({ path }) => path));
  stage("plan");
  const fits = (plan: Plan) => {
    preflight(plan, directory, (context.freeSpace ?? freeSpaceAt)(directory));
    return plan;
  };
  const early = needsPreparation(spec) ? undefined : fits(planExport(spec));
  const transaction = new OutputTransaction({ directory, profile, tenant, force, uuid });
  let prepared: Prepared | undefined;
  try {
    transaction.check(possibleNames(spec));
    if (early === undefined) prepared = await prepare(spec, transaction.partial, context);
    const plan = early ?? fits(planExport(prepared?.spec ?? spec));
    const packed = await pack(plan, transaction.partial, context);
    await context.yieldToEventLoop();
    stage("sign");
    const companions = writeCompanions(plan.spec, transaction.partial);
    const sequence = await sequencer?.(packed.state);
    const signed = sign(describe(packed, companions, sequence), signer);
    for (const [name, bytes] of signed.files) {
      writeNew(join(transaction.partial, name), bytes, 0o644);
    }
    stage("store");
    const names = writtenNames(signed);
    transaction.commit(names);
    const { manifest: { created, payload }, bundleDigest, keyid, bundleBytes } = signed;
    const { files, bytes } = payload;
    return Object.freeze({
      ...{ profile, tenant, created, bundleDigest, keyid, bundleBytes, payload: { files, bytes } },
      ...(sequence === undefined ? {} : { sequence }),
      ...{ files: names, emptyDirectories: plan.empty },
      ...prepared?.report,
    });
  } finally {
    prepared?.close();
    transaction.close();
  }
}

/** An export whose content is known. */
interface Prepared {
  readonly spec: ExportSpec;
  readonly report: Pick<ExportReport, "risk" | "images">;
  close(): void;
}

function needsPreparation({ providers, images }: ExportSpec): boolean {
  return providers.length > 0 || images.length > 0;
}

/** Downloads and joins risk data, or resolves images; imported only where it is needed. */
async function prepare(
  spec: ExportSpec,
  scratch: string,
  context: ExportContext,
): Promise<Prepared> {
  if (spec.images.length > 0) {
    const { prepareImages } = await import("./sources/images.ts");
    const { images, ...prepared } = await prepareImages(spec, context);
    return { ...prepared, report: { images } };
  }
  const { prepareRisk } = await import("./sources/risk.ts");
  const { spec: prepared, risk } = await prepareRisk(spec, join(scratch, "prepared"), context);
  return { spec: prepared, report: { risk }, close: () => {} };
}

/** What would be exported; reads manifests of images, writes nothing. */
export async function planOnly(spec: ExportSpec, context: ExportContext): Promise<Plan> {
  if (spec.images.length === 0) return planExport(spec);
  const { prepareImages } = await import("./sources/images.ts");
  const prepared = await prepareImages(spec, context);
  prepared.close();
  return planExport(prepared.spec);
}

/** All names that this export may need, of all possible volumes. @throws StellaError usage */
function possibleNames(spec: ExportSpec): string[] {
  const documents = spec.images.length > 0 ? [imagesName] : [];
  const names = [
    ...[attestationName, hmacName, indexName, ...documents],
    ...payloadNames(spec),
    ...companionNames,
  ];
  checkPrograms(spec.programs, names);
  return [...names, ...spec.programs.map(({ name }) => name)];
}

function payloadNames({ layout, profile, compression, volumeSize }: ExportSpec): string[] {
  if (layout === "directory") return ["payload"];
  const name = archiveName(profile, compression);
  if (volumeSize === undefined) return [name];
  return Array.from({ length: maxVolumes }, (_, i) => volumeName(name, i + 1));
}

/** The manifest first. */
function writtenNames({ manifest, files }: Signed): string[] {
  const payload = manifest.payload.layout === "directory" ? ["payload"] : [];
  return [...files.map(([name]) => name), ...manifest.files.map(({ path }) => path), ...payload];
}

/**
 * Prepares profiles of the kind images: the references are resolved and all manifests read; the
 * blobs come from the registries while the archive is written, and are stored nowhere else.
 */
import { BlobFetcher } from "../../images/fetch.ts";
import {
  blobPath,
  encodeImages,
  encodeLayout,
  encodeLayoutIndex,
  imagesName,
  layoutIndexName,
  layoutName,
  readImages,
} from "../../images/layout.ts";
import { planImages } from "../../images/plan.ts";
import { ImageSources } from "../../images/sources.ts";
import { settingsFor } from "../image_registries.ts";
import { imageSummaries, type ImageSummary } from "../report.ts";
import { egressOf, type ExportContext, type ExportSpec } from "../spec.ts";
import type { BuiltinEntry } from "./inputs.ts";

export interface PreparedImages {
  /** The same export with the content of the images. */
  readonly spec: ExportSpec;
  readonly images: readonly ImageSummary[];
  /** Ends what is still being fetched. */
  close(): void;
}

/** @throws StellaError that names every image that cannot be carried */
export async function prepareImages(
  spec: ExportSpec,
  context: ExportContext,
): Promise<PreparedImages> {
  const sources = new ImageSources({
    settingsOf: (registry) => settingsFor(registry, spec),
    timing: context.timing,
    policy: egressOf(spec, context),
    signal: context.signal,
  });
  try {
    const plan = await planImages(spec.images, (image) => sources.repository(image));
    const list = encodeImages(plan.document);
    // What this program would refuse to read must not be written.
    readImages(list);
    const fetcher = new BlobFetcher(plan.blobs);
    const blobs = plan.blobs.map((blob): BuiltinEntry => ({
      path: blobPath(blob.digest),
      blob: { digest: blob.digest, size: blob.size, open: () => fetcher.open(blob) },
    }));
    const layout = [
      { path: layoutIndexName, bytes: encodeLayoutIndex(plan.document) },
      { path: layoutName, bytes: encodeLayout() },
    ];
    return {
      spec: Object.freeze({
        ...spec,
        builtin: [...blobs, ...layout],
        documents: [{ path: imagesName, bytes: list }],
        created: spec.created === "newest" ? plan.created : spec.created,
      }),
      images: imageSummaries(plan.document),
      close: () => {
        fetcher.close();
        sources.close();
      },
    };
  } catch (error) {
    sources.close();
    throw error;
  }
}

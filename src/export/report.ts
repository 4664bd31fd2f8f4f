/** The report of an export; plain data, so that a worker can send it. */
import type { ImagesDocument } from "../images/layout.ts";
import type { ProviderReport } from "../risk/provider.ts";

export type ProviderSummary = ReturnType<typeof summaryOf>;

export function summaryOf(
  { name, kind, asOf, records, rejected, badIds, superseded, duplicates, links, unread }:
    ProviderReport,
) {
  const counts = { records, rejected, badIds, unread: unread.files, superseded, duplicates };
  return { name, kind, asOf, ...counts, links };
}

/** Records left out of all providers, by reason; undefined without risk data. */
export function leftOutOf(risk: readonly ProviderSummary[] | undefined) {
  if (risk === undefined) return undefined;
  const sum = (count: (one: ProviderSummary) => number) =>
    risk.reduce((total, one) => total + count(one), 0);
  return {
    invalid: sum(({ rejected }) => rejected),
    bad_id: sum(({ badIds }) => badIds),
    unread: sum(({ unread }) => unread),
  };
}

/** Their number, and the first thousand. */
export interface EmptyDirectories {
  count: number;
  paths: string[];
}

/** A carried image. */
export interface ImageSummary {
  readonly name: string;
  readonly digest: string;
  /** `OS/ARCHITECTURE[/VARIANT]`; empty for artifacts that are no images. */
  readonly platforms: readonly string[];
}

export function imageSummaries({ images }: ImagesDocument): ImageSummary[] {
  return images.map(({ name, digest, platforms }) => ({ name, digest, platforms }));
}

export interface ExportReport {
  readonly profile: string;
  readonly tenant: string;
  readonly created: string;
  readonly sequence?: number;
  readonly bundleDigest: string;
  /** base64 of the SHA-256 of the signer's SPKI. */
  readonly keyid: string;
  /** Sum of files[].size and the manifest's size. */
  readonly bundleBytes: number;
  readonly payload: { files: number; bytes: number };
  /** For risk data, by provider. */
  readonly risk?: readonly ProviderSummary[];
  /** The carried images. */
  readonly images?: readonly ImageSummary[];
  /** Empty directories, which a bundle cannot contain; absent if the inputs were not walked. */
  readonly emptyDirectories?: EmptyDirectories;
  /** Names written into the output directory, manifest first. */
  readonly files: readonly string[];
  /** The earlier export whose stored bundle is equal: this one was not kept. */
  readonly sameAs?: string;
}

/** What an export says when it is done; plain data, so that a worker can send it. */
import type { ProviderReport } from "../risk/provider.ts";

export type ProviderSummary = ReturnType<typeof summaryOf>;

/** What the report of an export says of a provider of risk data. */
export function summaryOf(
  { name, kind, asOf, records, rejected, badIds, superseded, duplicates, links, unread }:
    ProviderReport,
) {
  const counts = { records, rejected, badIds, unread: unread.files, superseded, duplicates };
  return { name, kind, asOf, ...counts, links };
}

/** How much of all providers was left out, by why; undefined where no risk data was exported. */
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

export interface ExportReport {
  readonly profile: string;
  readonly tenant: string;
  readonly created: string;
  readonly bundleDigest: string;
  /** base64 of the sha256 of the signer's SPKI. */
  readonly keyid: string;
  /** Sum of files[].size and the manifest's size. */
  readonly bundleBytes: number;
  readonly payload: { files: number; bytes: number };
  /** Of an export of risk data, by provider. */
  readonly risk?: readonly ProviderSummary[];
  /**
   * Directories with nothing in them, which a bundle of files cannot carry: how many, and the first
   * thousand. Absent where the inputs were not looked at.
   */
  readonly emptyDirectories?: { count: number; paths: string[] };
  /** Names written into the output directory, manifest first. */
  readonly files: readonly string[];
  /** The earlier export whose stored bundle this is: an equal one was made, and not kept. */
  readonly sameAs?: string;
}

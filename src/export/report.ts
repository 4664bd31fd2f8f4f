/**
 * What an export says while it runs and when it is done; plain data, so that it can cross a
 * worker's border.
 */

export const stages = ["plan", "read", "sign", "verify", "store", "push"] as const;
export type Stage = typeof stages[number];

/** `done` and `total` are bytes; `total` is 0 where it is not known. */
export type ExportProgress = (stage: Stage, done: number, total: number) => void;

/** A provider of risk data in the report: what of it is in the bundle, and what was left out. */
export interface RiskSummary {
  name: string;
  kind: string;
  asOf: string;
  records: number;
  /** Bad records, ids that are none, and files that nothing reads: left out. */
  rejected: number;
  badIds: number;
  unread: number;
  /** Older versions of records, and the same records again. */
  superseded: number;
  duplicates: number;
  /** How often a record stands under a CVE, by the reason why. */
  links: Record<string, number>;
}

/** How much of all providers was left out, by why; undefined where no risk data was exported. */
export function leftOutOf(risk: readonly RiskSummary[] | undefined) {
  if (risk === undefined) return undefined;
  const sum = (count: (one: RiskSummary) => number) =>
    risk.reduce((total, one) => total + count(one), 0);
  return {
    invalid: sum(({ rejected }) => rejected),
    bad_id: sum(({ badIds }) => badIds),
    unread: sum(({ unread }) => unread),
  };
}

export interface ExportReport {
  profile: string;
  tenant: string;
  created: string;
  bundleDigest: string;
  /** base64 of the sha256 of the signer's SPKI. */
  keyid: string;
  /** Sum of files[].size and the manifest's size. */
  bundleBytes: number;
  payload: { files: number; bytes: number };
  /**
   * How many files of each kind; see src/domain/artifact_kind.ts. Only jobs of the service count.
   */
  artifacts?: Record<string, number>;
  /** Of an export of risk data, by provider. */
  risk?: RiskSummary[];
  /**
   * Directories with nothing in them, which a bundle of files cannot carry: how many, and the first
   * thousand. Absent where the inputs were not looked at.
   */
  emptyDirectories?: { count: number; paths: string[] };
  /** Names written into the output directory, manifest first. */
  files: string[];
  /** The earlier export whose stored bundle this is: an equal one was made, and not kept. */
  sameAs?: string;
}

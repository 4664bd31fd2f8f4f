/** What an export says while it runs and when it is done; plain data, so that it can cross a worker's border. */

export const stages = ["plan", "read", "sign", "verify", "store", "push"] as const;
export type Stage = typeof stages[number];

/** `done` and `total` are bytes; `total` is 0 where it is not known. */
export type ExportProgress = (stage: Stage, done: number, total: number) => void;

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
  /** How many files of each kind; see src/bundle/artifact_kind.ts. Only jobs of the service count. */
  artifacts?: Record<string, number>;
  /** Names written into the output directory, manifest first. */
  files: string[];
}

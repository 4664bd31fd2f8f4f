/** What a watched export reports while it runs, and how it ended. */
import type { PublishResult, PushResult, VerificationResult } from "../domain/labels.ts";
import type { LogError } from "./log.ts";

/** What an export says on its way. */
export type ExportEvent =
  /** `done` and `total` are bytes; `total` is 0 where it is not known. */
  | { kind: "progress"; stage: string; done: number; total: number }
  /** One manifest became visible, in the store or in a directory, or did not. */
  | { kind: "published"; result: PublishResult }
  /** The whole push to one registry, failed ones too; `registry` is its name in the configuration. */
  | { kind: "pushed"; registry: string; result: PushResult; seconds: number }
  /** The bundle is whole and signed; from then on it is known by its digest. */
  | { kind: "signed"; bundleDigest: string }
  /** The bundle equals the stored one of the export `sameAs`, and no second copy is kept. */
  | { kind: "unchanged"; sameAs: string; bundleDigest: string; emptyDirectoryCount?: number }
  /** It verified what it made; `reason` as the metric counts it. */
  | { kind: "verified"; result: VerificationResult; reason?: string }
  /** A connection to `HOST:PORT` that the configuration does not allow was not made. */
  | { kind: "refused"; destination: string };

/** How it ended. */
export interface ExportEnd {
  state: "succeeded" | "failed" | "cancelled";
  bundleDigest?: string;
  error?: LogError;
}

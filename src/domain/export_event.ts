/** What an export reports while it runs: plain data, for timeline, metrics and log. */
import type { PublishResult, PushResult, Stage, VerificationResult } from "./labels.ts";

/** What names an export in log, traces and timeline. */
export interface ExportRef {
  /** UUIDv7. */
  exportId: string;
  profile: string;
  tenant: string;
}

export type EventOf<Kind extends ExportEvent["kind"]> = Extract<ExportEvent, { kind: Kind }>;

export type ExportEvent =
  /** `done` and `total` are bytes; `total` is 0 where it is not known. */
  | { kind: "progress"; stage: Stage; done: number; total: number }
  /** One manifest became visible, in the store or in a directory, or did not. */
  | { kind: "published"; result: PublishResult }
  /** A push to one registry, failed or not; `registry` is its name in the configuration. */
  | { kind: "pushed"; registry: string; result: PushResult; seconds: number }
  /** The bundle is whole and signed; from then on it is known by its digest. */
  | { kind: "signed"; bundleDigest: string }
  /** The bundle equals the stored one of the export `sameAs`, and no second copy is kept. */
  | { kind: "unchanged"; sameAs: string; bundleDigest: string; emptyDirectoryCount?: number }
  /** It verified what it made; `reason` as the metric counts it. */
  | { kind: "verified"; result: VerificationResult; reason?: string }
  /** A connection to `HOST:PORT` that the configuration does not allow was not made. */
  | { kind: "refused"; destination: string };

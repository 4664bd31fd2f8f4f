/** The closed lists of metric label values. */

/** All removed profiles that still have bundles; no profile can have this name. */
export const removedProfiles = "_removed";

export const jobResults = ["success", "failed", "cancelled"] as const;
export type JobResult = typeof jobResults[number];

export const pushResults = [
  "success",
  "timeout",
  "auth",
  "rejected",
  "server_error",
  "reset",
  "digest_mismatch",
] as const;
export type PushResult = typeof pushResults[number];

export const publishResults = ["success", "error", "conflict", "skipped"] as const;
export type PublishResult = typeof publishResults[number];

export const verificationResults = ["success", "failed"] as const;
export type VerificationResult = typeof verificationResults[number];

/** All are exported from the start, as 0, so that the first increase of each is seen. */
export const attestationFailures = [
  "signature_invalid",
  "key_unknown",
  "key_revoked",
  "threshold_not_met",
  "payload_type",
  "predicate_type",
  "subject_mismatch",
  "digest_mismatch",
  "malformed",
  "rollback",
] as const;
/**
 * Reasons that no service raises: it verifies what it made, and judges no sequence. Panels omit
 * them.
 */
export const laterFailures = ["key_revoked", "threshold_not_met", "rollback"] as const;
export type AttestationFailure = typeof attestationFailures[number];

/** The stages of an export, in their order. */
const exportStages = ["plan", "read", "sign", "verify", "store", "push"] as const;
export type Stage = typeof exportStages[number];

/** As labels; `other` is a stage that this list does not know yet. */
export const stages = [...exportStages, "other"] as const;

export function stageOf(name: string): typeof stages[number] {
  return stages.find((one) => one === name) ?? "other";
}

/** What asked for an export: a client of the API, the stella command, or the profile's schedule. */
export const triggers = ["api", "cli", "schedule"] as const;
export type Trigger = typeof triggers[number];

/** Kinds of payload files; see artifact_kind.ts. */
export const artifactKinds = [
  "osv",
  "kev",
  "epss",
  "csaf",
  "vex",
  "cyclonedx",
  "spdx",
  "other",
] as const;

/** What was left out of risk data: invalid records, invalid ids, files that were not read. */
export const leftOutReasons = ["invalid", "bad_id", "unread"] as const;

export const logLevels = ["INFO", "WARN", "ERROR"] as const;

export const methods = ["GET", "HEAD", "POST", "DELETE"] as const;

export function methodOf(name: string): string {
  return methods.find((one) => one === name) ?? "other";
}

/** `2xx`; a label per status would create a series for each. */
export function statusClass(status: number): string {
  return `${Math.floor(status / 100)}xx`;
}

/** A scheduled run: on time; late, after a downtime; skipped, as the last one had not ended. */
export const scheduledRuns = ["queued", "late", "skipped"] as const;
export type ScheduledRun = typeof scheduledRuns[number];

/** Why a valid request was refused. */
export const refusals = ["busy", "queue_full", "followers_full"] as const;
export type Refusal = typeof refusals[number];

export const spanResults = ["sent", "lost"] as const;

/**
 * The reason of a finding as a label. Without a readable attestation it is malformed. Findings have
 * more ways in which content can differ (size, order, truncation, ...), which all mean that the
 * bytes are not the signed ones; they add no series.
 */
export function attestationFailure(reason: string | undefined): AttestationFailure {
  const known = attestationFailures.find((one) => one === reason);
  if (known !== undefined) return known;
  const isAbsent = reason === undefined || reason === "attestation_missing";
  return isAbsent ? "malformed" : "digest_mismatch";
}

/** The closed lists of label values (operations.md A3). A value that cannot be raised yet is listed all the same: it stays 0. */

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

export const attestationFailures = [
  "signature_invalid",
  "key_unknown",
  "key_expired",
  "key_revoked",
  "threshold_not_met",
  "payload_type",
  "predicate_type",
  "subject_mismatch",
  "digest_mismatch",
  "malformed",
  "rollback",
  "io_error",
] as const;
export type AttestationFailure = typeof attestationFailures[number];

/** The reason as a label; one that is not on the list is a malformed attestation, never a new series. */
export function attestationFailure(reason: string | undefined): AttestationFailure {
  return attestationFailures.find((one) => one === reason) ?? "malformed";
}

/** A job as a row of the table `jobs`; see migrations.ts. */
import type { Trigger } from "../../domain/labels.ts";
import type { Job, JobError, State } from "../job.ts";
import type { Row } from "./sql.ts";

export function jobOf(row: Row): Job {
  const job: Job = {
    id: String(row["id"]),
    tenant: String(row["tenant"]),
    profile: String(row["profile"]),
    request: JSON.parse(String(row["request"])),
    state: String(row["state"]) as State,
    trigger: String(row["trigger"]) as Trigger,
    attempt: Number(row["attempt"]),
    tries: Number(row["tries"]),
    createdAt: Number(row["created_at"]),
  };
  if (row["started_at"] !== null) job.startedAt = Number(row["started_at"]);
  if (row["finished_at"] !== null) job.finishedAt = Number(row["finished_at"]);
  if (row["not_before"] !== 0) job.notBefore = Number(row["not_before"]);
  if (row["cancelling"] !== 0) job.cancelling = true;
  if (row["bundle_digest"] !== null) job.bundleDigest = String(row["bundle_digest"]);
  if (row["actor"] !== null) job.actor = String(row["actor"]);
  if (row["bytes"] !== null) job.bytes = Number(row["bytes"]);
  if (row["files"] !== null) job.files = Number(row["files"]);
  if (row["same_as"] !== null) job.sameAs = String(row["same_as"]);
  if (row["confirmed_at"] !== null) job.confirmedAt = Number(row["confirmed_at"]);
  if (row["error"] !== null) job.error = JSON.parse(String(row["error"])) as JobError;
  if (row["traceparent"] !== null) job.traceparent = String(row["traceparent"]);
  return job;
}

/** Alerts about exports: the five that were asked for, and those without which these would be blind (operations.md A6). */
import { outsideSla } from "./recordings.ts";
import type { Alert, Clock } from "./rule_text.ts";

/** Above this no SLA can be set; a profile without one counts as inside for so long. */
const longestSla = 7200;

/** Of each running export's profile: its SLA, or the longest there can be. */
function slaOfRunning(t: Clock): string {
  return `(export_profile_sla_seconds or 0 * export_running_oldest_job_start_timestamp_seconds + ${
    t.seconds(longestSla)
  })`;
}

export function seedAlerts(t: Clock): Alert[] {
  return [durationAboveSla(t), verificationFailures(t), latencySpike(t), errorRate(t), queue(t)];
}

export function moreExportAlerts(t: Clock): Alert[] {
  return [stuck(t), burnFast(t), burnSlow(t), publishFailures(t), stale(t)];
}

function durationAboveSla(t: Clock): Alert {
  return {
    why: "Five exports at least: with fewer the 99th percentile is the slowest single run.",
    alert: "ExportJobDurationP99AboveSLA",
    expr: `
      job_profile:export_job_duration_seconds:p99_1h
      > on (job, profile) max by (job, profile) (export_profile_sla_seconds)
      and on (job, profile) sum by (job, profile) (increase(export_job_duration_seconds_count[${
      t.span("1h")
    }])) >= 5`,
    for: t.span("10m"),
    severity: "warning",
    summary: "Exports of a profile take longer than its SLA.",
    description: `
      The 99th percentile of the export duration of profile {{ $labels.profile }} was
      {{ $value | humanizeDuration }} over the last hour, which is above the SLA of the profile.`,
  };
}

function verificationFailures(t: Clock): Alert {
  return {
    why:
      "increase() does not see a series that is born at 1: stella exports every reason as 0 from its start.",
    alert: "ExportAttestationVerificationFailures",
    expr: `sum by (job, instance, reason) (increase(export_attestation_failures_total[${
      t.span("10m")
    }])) > 0`,
    severity: "critical",
    summary: "An attestation failed its verification.",
    description: `
      Verifications on {{ $labels.instance }} failed in the last 10 minutes for the reason
      {{ $labels.reason }}, about {{ $value | humanize }} of them.`,
  };
}

function latencySpike(t: Clock): Alert {
  const p95 = "job_profile:export_registry_push_latency_seconds:p95_30m";
  return {
    why:
      "The day that is compared with ends an hour ago, so that a spike does not raise its own yardstick.",
    alert: "ExportRegistryPushLatencySpike",
    expr: `
      ${p95} > ${t.seconds(10)}
      and ${p95}
      > 3 * avg_over_time(${p95}[${t.span("1d")}] offset ${t.span("1h")})`,
    for: t.span("10m"),
    severity: "warning",
    summary: "Pushes to the registry take far longer than they did.",
    description: `
      The 95th percentile of the push latency of profile {{ $labels.profile }} is
      {{ $value | humanizeDuration }}, more than three times its average of the last day.`,
  };
}

function errorRate(t: Clock): Alert {
  return {
    why: "Three failures at least: with one push an hour a single failure is a ratio of 100 %.",
    alert: "ExportRegistryPushErrorRateHigh",
    expr: `
      job:export_registry_push_failures:ratio_rate30m > 0.05
      and sum by (job) (increase(export_registry_push_total{result!="success"}[${
      t.span("30m")
    }])) >= 3`,
    for: t.span("5m"),
    severity: "warning",
    summary: "Too many pushes to the registry fail.",
    description: `
      {{ $value | humanizePercentage }} of the registry pushes of {{ $labels.job }} failed
      over the last 30 minutes.`,
  };
}

function queue(t: Clock): Alert {
  return {
    why: `
      Line by line: the queue is deeper than at some moment of the last day, has not been empty for a quarter of an hour,
      nothing was finished in that time (unless, and not "== 0": with no series at all that would be silent), and no job
      is running inside its SLA. A profile without an SLA counts as inside for two hours, above which no SLA can be set.
      A day is longer than any SLA, and the alert stays until something is done about a queue that no longer grows.`,
    alert: "ExportQueueGrowingWithoutCompletion",
    expr: `
      export_queue_depth > min_over_time(export_queue_depth[${t.span("1d")}])
      and min_over_time(export_queue_depth[${t.span("15m")}]) > 0
      unless on (job, instance) sum by (job, instance) (increase(export_job_duration_seconds_count[${
      t.span("15m")
    }])) > 0
      unless on (job, instance) time() - (export_running_oldest_job_start_timestamp_seconds > 0)
      <= on (job, instance, profile)
      ${slaOfRunning(t)}`,
    for: t.span("5m"),
    severity: "critical",
    summary: "The export queue grows and nothing is completed.",
    description: `
      {{ $value | humanize }} exports wait on {{ $labels.instance }}. None was finished in the last
      15 minutes, and no running export is inside its SLA.`,
  };
}

function stuck(t: Clock): Alert {
  return {
    why:
      "A histogram knows only what has ended: an export that hangs is seen here and nowhere else.",
    alert: "ExportJobStuck",
    expr: `
      time() - (export_running_oldest_job_start_timestamp_seconds > 0)
      > on (job, instance, profile)
      2 * ${slaOfRunning(t)}`,
    for: t.span("5m"),
    severity: "critical",
    summary: "An export runs for more than twice its SLA.",
    description: `
      An export of profile {{ $labels.profile }} on {{ $labels.instance }} has been running for
      {{ $value | humanizeDuration }}, more than twice the SLA of the profile.`,
  };
}

/**
 * One export in a hundred may miss its SLA. The windows are long and the count is asked for, because exports are rare: over
 * five minutes, as services with many requests are judged, the ratio of a few exports an hour is nothing or everything.
 */
function burn(windows: ["30m" | "6h", "6h" | "3d"], limit: string, t: Clock): string {
  const [short, long] = windows;
  const span = t.span(long);
  return `
    ${outsideSla(short)} > ${limit}
    and ${outsideSla(long)} > ${limit}
    and sum by (job, profile) (increase(export_jobs_total{result!="cancelled"}[${span}]))
    - sum by (job, profile) (increase(export_jobs_within_sla_total[${span}])) >= 3`;
}

function burnFast(t: Clock): Alert {
  return {
    why:
      "Three missed exports at least. What was missed is failed exports and those that took longer than the SLA.",
    alert: "ExportErrorBudgetBurnFast",
    expr: burn(["30m", "6h"], "0.06", t),
    for: t.span("5m"),
    severity: "critical",
    summary: "Exports of a profile miss their SLA so often that its budget is gone in days.",
    description: `
      {{ $value | humanizePercentage }} of the exports of profile {{ $labels.profile }} failed or took longer
      than the SLA over the last 30 minutes, and more than 6 % did over the last 6 hours; 1 % may.`,
  };
}

function burnSlow(t: Clock): Alert {
  return {
    alert: "ExportErrorBudgetBurnSlow",
    expr: burn(["6h", "3d"], "0.01", t),
    for: t.span("15m"),
    severity: "warning",
    summary: "Exports of a profile miss their SLA more often than one in a hundred.",
    description: `
      {{ $value | humanizePercentage }} of the exports of profile {{ $labels.profile }} failed or took longer
      than the SLA over the last 6 hours, and more than 1 % did over the last 3 days.`,
  };
}

function publishFailures(t: Clock): Alert {
  return {
    why: "A skipped one is none: there was nothing new to publish.",
    alert: "ExportManifestPublishFailures",
    expr:
      `sum by (job, instance, result) (increase(export_manifest_publish_total{result=~"error|conflict"}[${
        t.span("15m")
      }])) > 0`,
    severity: "warning",
    summary: "A finished bundle could not be published.",
    description: `
      About {{ $value | humanize }} manifests could not be published on {{ $labels.instance }} in the last
      15 minutes, for the result {{ $labels.result }}.`,
  };
}

function stale(t: Clock): Alert {
  const last = "export_last_success_timestamp_seconds";
  return {
    why: `
      Twice the interval of the schedule, whatever that is: night, weekend and the length of a month are in the service's own
      time. A profile that never succeeded is as old as the service's run.`,
    alert: "ExportProfileStale",
    expr: `
      time() - (
      ${last} > 0
      or 0 * ${last} + on (job, instance) group_left () process_start_time_seconds)
      > on (job, instance, profile)
      time() - (export_schedule_stale_before_timestamp_seconds > 0)`,
    for: t.span("5m"),
    severity: "warning",
    summary: "A profile with a schedule has no fresh bundle.",
    description: `
      No export of profile {{ $labels.profile }} on {{ $labels.instance }} has succeeded for
      {{ $value | humanizeDuration }}, and two were due since.`,
  };
}

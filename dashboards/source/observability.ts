/**
 * export-center-observability.json. The six panels at the top answer whether all is well; the rows
 * below show why one of them looks bad.
 */
import { laterFailures } from "../../src/domain/labels.ts";
import type { DashboardSource } from "./dashboard.ts";
import type { PanelSource } from "./panels.ts";
import {
  increase,
  ofInstances,
  ofProfiles,
  perHour,
  quantile,
  rate,
  shortRange,
} from "./queries.ts";

const duration = ofProfiles("export_job_duration_seconds_bucket");
const size = ofProfiles("export_bundle_size_bytes_bucket");
const pushLatency = ofProfiles("export_registry_push_latency_seconds_bucket");
const sla = { "{{profile}} SLA": `max by (profile) (${ofProfiles("export_profile_sla_seconds")})` };

/** Hides reasons that nothing raises yet from the legend. */
const raised = `reason!~"${laterFailures.join("|")}"`;
const failed = ofProfiles("export_jobs_total", 'result="failed"');
const notCancelled = ofProfiles("export_jobs_total", 'result!="cancelled"');

const top: PanelSource[] = [
  {
    title: "Export job duration p95/p99",
    description: `How long 95 and 99 of 100 finished exports took at most, by profile, over the
      chosen window. Dashed: the SLA of the profile. Running exports are not included: see Oldest
      running job.`,
    unit: "s",
    queries: {
      "{{profile}} p95": quantile(0.95, "profile", duration),
      "{{profile}} p99": quantile(0.99, "profile", duration),
      ...sla,
    },
    dashed: "/ SLA$/",
  },
  {
    type: "heatmap",
    title: "Bundle size histogram",
    description: `Finished bundles by size. The bucket that ends at 4294967295 bytes (4 GiB) is
      the last whose bundles fit on a FAT32 medium in one file.`,
    unit: "bytes",
    queries: { "{{le}}": increase("le", size) },
  },
  {
    title: "Registry push latency",
    description: `How long 95 and 99 of 100 pushes of a whole bundle took at most, including
      retries and failed pushes.`,
    unit: "s",
    queries: {
      "{{profile}} p95": quantile(0.95, "profile", pushLatency),
      "{{profile}} p99": quantile(0.99, "profile", pushLatency),
    },
  },
  {
    type: "bars",
    title: "Provenance/attestation verification failures",
    description: `Verifications that failed, by reason. Each of them needs a person. Verifications
      by result shows whether anything was verified at all.`,
    queries: {
      "{{reason}}": increase("reason", ofInstances("export_attestation_failures_total", raised)),
    },
  },
  {
    title: "Queue depth",
    description: `Exports that wait to be run. A growing queue is fine while Oldest running job
      stays below the SLA.`,
    queries: { "{{instance}}": `sum by (instance) (${ofInstances("export_queue_depth")})` },
  },
  {
    title: "Error rate per profile",
    description: `Share of the finished exports that failed, over the chosen window. Cancelled
      exports do not count; without any finished export there is no line.`,
    unit: "percentunit",
    queries: { "{{profile}}": `${rate("profile", failed)} / ${rate("profile", notCancelled)}` },
    max: 1,
  },
];

const waitingSince = ofInstances("export_queue_oldest_job_timestamp_seconds");
const storageFree = ofInstances("export_storage_free_bytes");
const lastCheck = ofInstances("export_readiness_check_last_run_timestamp_seconds");

const service: PanelSource[] = [
  {
    type: "stat",
    title: "Ready",
    description: `No when a readiness check of a chosen instance fails; /health/readiness?verbose
      says which.`,
    unit: "bool_yes_no",
    queries: { ready: `min(${ofInstances("export_readiness_check_up")})` },
    colors: [[null, "red"], [1, "green"]],
  },
  {
    type: "stat",
    title: "Jobs running",
    description: "Exports that run now.",
    queries: { running: `sum(${ofInstances("export_jobs_running")})` },
  },
  {
    type: "stat",
    title: "Oldest waiting job",
    description: "Age of the export that has waited longest. Zero when none waits.",
    unit: "s",
    queries: { age: `max((time() - (${waitingSince} > 0)) or (${waitingSince} == 0))` },
    colors: [[null, "green"], [900, "orange"], [7200, "red"]],
  },
  {
    type: "stat",
    title: "Storage free",
    description: `Free share of the file system that holds the state directory; the fullest of the
      chosen instances.`,
    unit: "percentunit",
    queries: { free: `min(${storageFree} / ${ofInstances("export_storage_size_bytes")})` },
    colors: [[null, "red"], [0.02, "orange"], [0.1, "green"]],
  },
  {
    type: "stat",
    title: "Verification failures, 24 h",
    description: `Signatures, provenance statements and digests that were wrong, in a day. Any of
      them needs a person.`,
    queries: {
      failures: `sum(increase(${ofInstances("export_attestation_failures_total")}[24h]))`,
    },
    colors: [[null, "green"], [0.5, "red"]],
  },
  {
    type: "stat",
    title: "Exports within SLA, 30 d",
    description: `Share of the finished exports that succeeded within the SLA of their profile;
      the objective is 99 %. Cancelled exports do not count. Without an SLA every success counts.`,
    unit: "percentunit",
    queries: {
      within: `sum(increase(${ofProfiles("export_jobs_within_sla_total")}[30d]))
        / sum(increase(${notCancelled}[30d]))`,
    },
    colors: [[null, "red"], [0.94, "orange"], [0.99, "green"]],
  },
  {
    type: "table",
    title: "Alerts",
    description: `Alerts of the Export Center that are pending or firing. The watchdog always
      fires; the runbook has a section for each name.`,
    queries: {
      // Alerts about all instances lack the label; the empty alternative includes them.
      "{{alertname}}": `max by (alertname, alertstate, severity, profile, instance, reason)
        (ALERTS{job=~"$job|",instance=~"$instance|",alertname=~"Export.+"})`,
    },
  },
  {
    type: "table",
    title: "Build",
    description: "Version and commit of every instance, to compare with `tool` in a manifest.",
    queries: {
      "{{instance}}": `max by (instance, version, commit, bundle_schema)
        (${ofInstances("export_build_info")})`,
    },
  },
  {
    title: "Readiness checks",
    description: "1 while the check passes, with or without a warning; 0 while it fails.",
    unit: "bool_yes_no",
    queries: { "{{check}}": `min by (check) (${ofInstances("export_readiness_check_up")})` },
    max: 1,
  },
  {
    title: "Readiness warnings",
    description: `1 while the check warns: exports go on, but something will be missing soon, or
      is missing for some of them.`,
    unit: "bool_yes_no",
    queries: { "{{check}}": `max by (check) (${ofInstances("export_readiness_check_warning")})` },
    max: 1,
  },
  {
    title: "Age of the readiness checks",
    description: "Each runs every 10 s. A result older than 30 s no longer counts.",
    unit: "s",
    queries: { "{{check}}": `max by (check) (time() - ${lastCheck})` },
  },
];

const runningSince = ofProfiles("export_running_oldest_job_start_timestamp_seconds");

const exports: PanelSource[] = [
  {
    title: "Oldest running job",
    description: `Age of the oldest running export, by profile, and the SLA. An export that hangs
      is seen only here.`,
    unit: "s",
    queries: {
      "{{profile}}": `max by (profile) (time() - (${runningSince} > 0))`,
      ...sla,
    },
    dashed: "/ SLA$/",
  },
  {
    type: "heatmap",
    title: "Export job duration distribution",
    description: `Finished exports by duration: whether a high quantile stands for a few exports
      or for all of them.`,
    unit: "s",
    queries: { "{{le}}": increase("le", duration) },
  },
  {
    title: "Finished exports by result",
    description: "Exports that ended, per hour, by result.",
    queries: { "{{result}}": perHour("result", ofProfiles("export_jobs_total")) },
  },
];

const lastSuccess = ofProfiles("export_last_success_timestamp_seconds");
const staleBefore = ofProfiles("export_schedule_stale_before_timestamp_seconds");
const nextRun = ofProfiles("export_schedule_next_timestamp_seconds");

const schedules: PanelSource[] = [
  {
    title: "Time since the last success",
    description: `Age of the newest good bundle, by profile. For a profile with a schedule also
      the age at which it is stale: two exports were due since. A profile that never succeeded has
      no line.`,
    unit: "s",
    queries: {
      "{{profile}}": `max by (profile) (time() - (${lastSuccess} > 0))`,
      "{{profile}} stale at": `max by (profile) (time() - (${staleBefore} > 0))`,
    },
  },
  {
    title: "Time to the next scheduled export",
    description: "Falls to zero and starts again. Profiles without a schedule have no line.",
    unit: "s",
    queries: { "{{profile}}": `min by (profile) ((${nextRun} > 0) - time())` },
  },
  {
    type: "bars",
    title: "Scheduled exports by result",
    description: `Exports that were due. Late: the service was down when they were due and ran
      them later. Skipped: the previous one had not ended, so the schedule asks for more than can
      be done.`,
    queries: { "{{result}}": increase("result", ofProfiles("export_schedule_runs_total")) },
  },
  {
    type: "bars",
    title: "Unchanged scheduled exports",
    description: `Scheduled exports that equalled the newest stored bundle, by profile: no second
      copy was stored. A profile whose exports are all unchanged may have a source that is no
      longer updated.`,
    queries: { "{{profile}}": increase("profile", ofProfiles("export_unchanged_total")) },
  },
  {
    title: "Retries by profile",
    description: `Exports that failed in a way that may pass and were queued again, per hour. No
      error rate includes them.`,
    queries: { "{{profile}}": perHour("profile", ofProfiles("export_job_retries_total")) },
  },
];

/** The last bucket that fits on FAT32, as written by Prometheus 2, 3 and a protobuf scrape. */
const fitsFat32 = ofProfiles(
  "export_bundle_size_bytes_bucket",
  String.raw`le=~"4294967295(\\.0)?|4.294967295e\\+09"`,
);

const bundles: PanelSource[] = [
  {
    title: "Bundle size p50/p95",
    description: "Half of the bundles, and 95 of 100, are at most this large, by profile.",
    unit: "bytes",
    queries: {
      "{{profile}} p50": quantile(0.5, "profile", size),
      "{{profile}} p95": quantile(0.95, "profile", size),
    },
  },
  {
    title: "Bundles beyond FAT32",
    description: `Share of the bundles larger than 4 GiB less one byte, which a FAT32 stick cannot
      hold in one file: export those with volumeSize fat32.`,
    unit: "percentunit",
    queries: {
      "{{profile}}": `1 - ${rate("profile", fitsFat32)}
        / ${rate("profile", ofProfiles("export_bundle_size_bytes_count"))}`,
    },
    max: 1,
  },
];

const publishing: PanelSource[] = [
  {
    title: "Manifest publishes by result",
    description: "Bundles published with their manifest, per hour, by result.",
    queries: { "{{result}}": perHour("result", ofInstances("export_manifest_publish_total")) },
  },
  {
    title: "Registry pushes by result",
    description: "Pushes to a registry, per hour, by result.",
    queries: { "{{result}}": perHour("result", ofProfiles("export_registry_push_total")) },
  },
  {
    title: "Verifications by result",
    description: `Verifications of attestations, per hour, by result. The self-check of readiness
      makes 360 of them: with fewer, no failures mean little.`,
    queries: {
      "{{result}}": perHour("result", ofInstances("export_attestation_verifications_total")),
    },
  },
];

const processed = ofInstances("export_processed_bytes_total", 'stage=~"read|push"');

const capacity: PanelSource[] = [
  {
    title: "Bytes processed",
    description: "What running exports read and push. Flat while one runs: it makes no progress.",
    unit: "Bps",
    queries: { "{{stage}}": rate("stage", processed, shortRange) },
  },
  {
    title: "Storage free, and in 8 h",
    description: `Free bytes of the state directory's file system, and what the trend of the last
      two hours leaves in eight.`,
    unit: "bytes",
    queries: {
      "{{instance}}": `min by (instance) (${storageFree})`,
      "{{instance}} in 8 h": `min by (instance) (predict_linear(${storageFree}[2h], 8 * 3600))`,
    },
  },
];

const store: PanelSource[] = [
  {
    title: "Bundles in the store",
    description: `Finished bundles that are kept, by profile. Without a retention rule it only
      rises. The profile _removed stands for all that are no longer in the configuration: no rule
      removes their bundles.`,
    queries: { "{{profile}}": `sum by (profile) (${ofProfiles("export_store_bundles")})` },
  },
  {
    title: "Size of the store",
    description: `Bytes of the kept bundles by their manifests, by profile: what retention could
      free.`,
    unit: "bytes",
    queries: { "{{profile}}": `sum by (profile) (${ofProfiles("export_store_bytes")})` },
  },
  {
    type: "bars",
    title: "Bundles removed by retention",
    description: "Bundles that the retention rule of their profile removed.",
    queries: { "{{profile}}": increase("profile", ofProfiles("export_store_removed_total")) },
  },
  {
    title: "Damaged bundles",
    description: `Stored bundles that are known to differ from their manifest. Above zero: export
      them again, and purge them.`,
    queries: {
      "{{instance}}": `max by (instance) (${ofInstances("export_store_damaged_bundles")})`,
    },
  },
  {
    title: "Time since the last scrub",
    description: `Time since all stored bundles were read and compared. No line: they never were,
      or scrubDays is 0.`,
    unit: "s",
    queries: {
      "{{instance}}": `max by (instance)
        (time() - (${ofInstances("export_store_scrub_timestamp_seconds")} > 0))`,
    },
  },
];

const requests = "http_request_duration_seconds";
const errors = ofInstances(`${requests}_count`, 'code=~"4xx|5xx"');

const http: PanelSource[] = [
  {
    title: "HTTP p99 by route",
    description: `99 of 100 requests were answered within this time. For events and files it is
      the time to the first byte.`,
    unit: "s",
    queries: {
      "{{route}}": quantile(0.99, "route", ofInstances(`${requests}_bucket`), shortRange),
    },
  },
  {
    title: "HTTP requests by route",
    description: "Responses per second, by method and route, whatever their status.",
    unit: "reqps",
    queries: {
      "{{method}} {{route}}": rate("method, route", ofInstances(`${requests}_count`), shortRange),
    },
  },
  {
    title: "HTTP errors by route",
    description: `Responses 4xx and 5xx per second. 4xx is the caller's fault: a wrong token, a
      wrong request; 5xx is ours or the disk's, and the log says why.`,
    unit: "reqps",
    queries: { "{{code}} {{route}}": rate("route, code", errors, shortRange) },
  },
  {
    type: "bars",
    title: "Requests refused",
    description: `Requests that have to be sent again later. busy: too many requests are open.
      queue_full: too many exports of the tenant wait. followers_full: too many clients follow
      exports.`,
    queries: { "{{reason}}": increase("reason", ofInstances("export_requests_refused_total")) },
  },
];

/** Other programs export the standard metrics too: only stella processes count. */
const ours = (query: string) =>
  `${query} and on (job, instance) ${ofInstances("export_build_info")}`;
const lag = ofInstances("export_event_loop_lag_seconds_bucket");

const process: PanelSource[] = [
  {
    title: "Memory",
    description: "Resident memory of the service, including its worker.",
    unit: "bytes",
    queries: { "{{instance}}": ours(ofInstances("process_resident_memory_bytes")) },
  },
  {
    title: "CPU",
    description: "Processor cores in use.",
    queries: {
      "{{instance}}": ours(`rate(${ofInstances("process_cpu_seconds_total")}[${shortRange}])`),
    },
  },
  {
    title: "Event loop lag p99",
    description: `How late the service came to its own work. A blocked loop delays health answers
      and heartbeats.`,
    unit: "s",
    queries: { "{{instance}}": quantile(0.99, "instance", lag, shortRange) },
  },
  {
    title: "Uptime",
    description: "Time since the start of the service; a fall is a restart.",
    unit: "s",
    queries: { "{{instance}}": ours(`time() - ${ofInstances("process_start_time_seconds")}`) },
  },
  {
    type: "bars",
    title: "Log lines by level",
    description: "Lines of the log. An ERROR is worth a look into it.",
    queries: { "{{level}}": increase("level", ofInstances("export_log_messages_total")) },
  },
  {
    type: "bars",
    title: "Clock set back",
    description: `How often the clock of the machine was found set back. Schedules, leases and the
      ids of exports depend on it.`,
    queries: {
      "{{instance}}": increase("instance", ofInstances("export_clock_regressions_total")),
    },
  },
  {
    type: "bars",
    title: "Connections refused by the egress policy",
    description: `Connections that the configuration does not allow and that were not made; the
      log names their destination.`,
    queries: { "{{instance}}": increase("instance", ofInstances("export_egress_refused_total")) },
  },
];

export const observability: DashboardSource = {
  uid: "export-center",
  title: "Export Center / Observability",
  description:
    "Exports, bundles, pushes, verification and queue of the Export Centers of this site.",
  rows: [
    { panels: top },
    { title: "Service", panels: service },
    { title: "Exports", panels: exports },
    { title: "Schedules and retries", panels: schedules },
    { title: "Bundles", panels: bundles },
    { title: "Publishing and trust", panels: publishing },
    { title: "Capacity", panels: capacity },
    { title: "Store", panels: store },
    { title: "HTTP", panels: http },
    { title: "Process", panels: process },
  ],
};

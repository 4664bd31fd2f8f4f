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
    description: `95th and 99th percentile of the duration of finished exports, by profile, over the
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
    description: `Finished bundles by size. Bundles up to 4294967295 bytes (4 GiB) fit on a FAT32
      medium in one file.`,
    unit: "bytes",
    queries: { "{{le}}": increase("le", size) },
  },
  {
    title: "Registry push latency",
    description: `95th and 99th percentile of the duration of pushes of a whole bundle, including
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
    description: `Failed verifications, by reason. Investigate every one. The panel Verifications
      by result shows whether anything was verified at all.`,
    queries: {
      "{{reason}}": increase("reason", ofInstances("export_attestation_failures_total", raised)),
    },
  },
  {
    title: "Queue depth",
    description: `Exports waiting in the queue. A growing queue is no problem while Oldest running
      job stays below the SLA.`,
    queries: { "{{instance}}": `sum by (instance) (${ofInstances("export_queue_depth")})` },
  },
  {
    title: "Error rate per profile",
    description: `Share of finished exports that failed, over the chosen window. Cancelled exports
      do not count. No line if no export finished.`,
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
    description: `No if a readiness check of a chosen instance fails; /health/readiness?verbose
      shows which.`,
    unit: "bool_yes_no",
    queries: { ready: `min(${ofInstances("export_readiness_check_up")})` },
    colors: [[null, "red"], [1, "green"]],
  },
  {
    type: "stat",
    title: "Jobs running",
    description: "Exports running now.",
    queries: { running: `sum(${ofInstances("export_jobs_running")})` },
  },
  {
    type: "stat",
    title: "Oldest waiting job",
    description: "Waiting time of the oldest export in the queue. Zero if the queue is empty.",
    unit: "s",
    queries: { age: `max((time() - (${waitingSince} > 0)) or (${waitingSince} == 0))` },
    colors: [[null, "green"], [900, "orange"], [7200, "red"]],
  },
  {
    type: "stat",
    title: "Storage free",
    description: `Free share of the file system with the state directory; the lowest of the chosen
      instances.`,
    unit: "percentunit",
    queries: { free: `min(${storageFree} / ${ofInstances("export_storage_size_bytes")})` },
    colors: [[null, "red"], [0.02, "orange"], [0.1, "green"]],
  },
  {
    type: "stat",
    title: "Verification failures, 24 h",
    description: `Failed verifications of signatures, provenance statements and digests in the last
      24 hours. Investigate every one.`,
    queries: {
      failures: `sum(increase(${ofInstances("export_attestation_failures_total")}[24h]))`,
    },
    colors: [[null, "green"], [0.5, "red"]],
  },
  {
    type: "stat",
    title: "Exports within SLA, 30 d",
    description: `Share of finished exports that succeeded within the SLA of their profile; the
      objective is 99 %. Cancelled exports do not count. Without an SLA every success counts.`,
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
    description: `1 while the check warns: exports continue, but something will be missing soon, or
      is missing for some of them.`,
    unit: "bool_yes_no",
    queries: { "{{check}}": `max by (check) (${ofInstances("export_readiness_check_warning")})` },
    max: 1,
  },
  {
    title: "Age of the readiness checks",
    description: "Checks run every 10 s. A result older than 30 s no longer counts.",
    unit: "s",
    queries: { "{{check}}": `max by (check) (time() - ${lastCheck})` },
  },
];

const runningSince = ofProfiles("export_running_oldest_job_start_timestamp_seconds");

const exports: PanelSource[] = [
  {
    title: "Oldest running job",
    description: `Age of the oldest running export, by profile, and the SLA. A hung export shows
      only here.`,
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
    description: `Finished exports by duration. Shows whether a high percentile comes from a few
      exports or from all of them.`,
    unit: "s",
    queries: { "{{le}}": increase("le", duration) },
  },
  {
    title: "Finished exports by result",
    description: "Finished exports per hour, by result.",
    queries: { "{{result}}": perHour("result", ofProfiles("export_jobs_total")) },
  },
];

const lastSuccess = ofProfiles("export_last_success_timestamp_seconds");
const staleBefore = ofProfiles("export_schedule_stale_before_timestamp_seconds");
const nextRun = ofProfiles("export_schedule_next_timestamp_seconds");

const schedules: PanelSource[] = [
  {
    title: "Time since the last success",
    description: `Time since the last successful export, by profile. With a schedule, also the age
      at which the profile is stale because two exports have been due since. A profile that never
      succeeded has no line.`,
    unit: "s",
    queries: {
      "{{profile}}": `max by (profile) (time() - (${lastSuccess} > 0))`,
      "{{profile}} stale at": `max by (profile) (time() - (${staleBefore} > 0))`,
    },
  },
  {
    title: "Time to the next scheduled export",
    description: "Time until the next export is due. Profiles without a schedule have no line.",
    unit: "s",
    queries: { "{{profile}}": `min by (profile) ((${nextRun} > 0) - time())` },
  },
  {
    type: "bars",
    title: "Scheduled exports by result",
    description: `Scheduled exports. late: the service was down when the export was due, and ran it
      later. skipped: the previous export had not ended, so the interval is too short.`,
    queries: { "{{result}}": increase("result", ofProfiles("export_schedule_runs_total")) },
  },
  {
    type: "bars",
    title: "Unchanged scheduled exports",
    description: `Scheduled exports identical to the newest stored bundle, by profile; they are not
      stored again. If all exports of a profile are unchanged, its source may no longer be
      updated.`,
    queries: { "{{profile}}": increase("profile", ofProfiles("export_unchanged_total")) },
  },
  {
    title: "Retries by profile",
    description: `Exports that failed with a temporary error and were queued again, per hour. Error
      rates do not include them.`,
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
    description: "Median and 95th percentile of the bundle size, by profile.",
    unit: "bytes",
    queries: {
      "{{profile}} p50": quantile(0.5, "profile", size),
      "{{profile}} p95": quantile(0.95, "profile", size),
    },
  },
  {
    title: "Bundles beyond FAT32",
    description: `Share of the bundles too large for one file on a FAT32 stick (4 GiB or more):
      export those with volumeSize fat32.`,
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
    description: `Verifications of attestations, per hour, by result. The readiness self-check alone
      makes 360; with fewer, the absence of failures means little.`,
    queries: {
      "{{result}}": perHour("result", ofInstances("export_attestation_verifications_total")),
    },
  },
];

const processed = ofInstances("export_processed_bytes_total", 'stage=~"read|push"');

const capacity: PanelSource[] = [
  {
    title: "Bytes processed",
    description: "Bytes that exports read and push. Zero while an export runs: no progress.",
    unit: "Bps",
    queries: { "{{stage}}": rate("stage", processed, shortRange) },
  },
  {
    title: "Storage free, and in 8 h",
    description: `Free space on the file system with the state directory, and the forecast for eight
      hours from the trend of the last two.`,
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
    description: `Stored bundles, by profile. Without a retention rule the number only rises. The
      profile _removed stands for all profiles that are no longer configured; retention does not
      remove their bundles.`,
    queries: { "{{profile}}": `sum by (profile) (${ofProfiles("export_store_bundles")})` },
  },
  {
    title: "Size of the store",
    description: "Bytes of the stored bundles, by profile.",
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
    description: `Stored bundles known to differ from their manifest. If above zero, export their
      profiles again and purge them.`,
    queries: {
      "{{instance}}": `max by (instance) (${ofInstances("export_store_damaged_bundles")})`,
    },
  },
  {
    title: "Time since the last scrub",
    description: `Time since all stored bundles were last read and compared. No line if that never
      happened or scrubDays is 0.`,
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
    description: `99th percentile of the response time, by route. For events and files it is the
      time to the first byte.`,
    unit: "s",
    queries: {
      "{{route}}": quantile(0.99, "route", ofInstances(`${requests}_bucket`), shortRange),
    },
  },
  {
    title: "HTTP requests by route",
    description: "Responses per second with any status, by method and route.",
    unit: "reqps",
    queries: {
      "{{method}} {{route}}": rate("method, route", ofInstances(`${requests}_count`), shortRange),
    },
  },
  {
    title: "HTTP errors by route",
    description: `Responses with status 4xx and 5xx per second. 4xx: an error of the client, such as
      a wrong token. 5xx: an error of the service or its disk; the log has the reason.`,
    unit: "reqps",
    queries: { "{{code}} {{route}}": rate("route, code", errors, shortRange) },
  },
  {
    type: "bars",
    title: "Requests refused",
    description: `Requests that clients must repeat later. busy: too many open requests. queue_full:
      too many waiting exports of the tenant. followers_full: too many event streams.`,
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
    description: "CPU cores in use.",
    queries: {
      "{{instance}}": ours(`rate(${ofInstances("process_cpu_seconds_total")}[${shortRange}])`),
    },
  },
  {
    title: "Event loop lag p99",
    description: `99th percentile of the delay of the event loop. A blocked loop delays health
      responses and heartbeats.`,
    unit: "s",
    queries: { "{{instance}}": quantile(0.99, "instance", lag, shortRange) },
  },
  {
    title: "Uptime",
    description: "Time since the start of the service; a drop is a restart.",
    unit: "s",
    queries: { "{{instance}}": ours(`time() - ${ofInstances("process_start_time_seconds")}`) },
  },
  {
    type: "bars",
    title: "Log lines by level",
    description: "Log lines by level. Look at every ERROR in the log.",
    queries: { "{{level}}": increase("level", ofInstances("export_log_messages_total")) },
  },
  {
    type: "bars",
    title: "Clock set back",
    description: `How often the clock of the machine was set back. Schedules, leases and export ids
      depend on it.`,
    queries: {
      "{{instance}}": increase("instance", ofInstances("export_clock_regressions_total")),
    },
  },
  {
    type: "bars",
    title: "Connections refused by the egress policy",
    description: "Connections that the egress policy refused; the log names their destinations.",
    queries: { "{{instance}}": increase("instance", ofInstances("export_egress_refused_total")) },
  },
];

export const observability: DashboardSource = {
  uid: "export-center",
  title: "Export Center / Observability",
  description:
    "Exports, bundles, pushes, verification and queue of the Export Centers at this site.",
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

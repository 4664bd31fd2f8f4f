/** export-center-observability.json: the top row says whether all is well, the others why not. */
import { laterFailures } from "../../src/domain/labels.ts";
import type { DashboardSource } from "./dashboard.ts";
import {
  bars,
  bytes,
  bytesPerSecond,
  heatmap,
  lines,
  type Panels,
  perSecond,
  seconds,
  share,
  stat,
  table,
} from "./panels.ts";
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

const top: Panels = {
  "Export job duration p95/p99": seconds(
    `95th and 99th percentile of the duration of finished exports, by profile, over the chosen
      window. Dashed: the SLA of the profile. Running exports are not included: see Oldest running
      job.`,
    {
      "{{profile}} p95": quantile(0.95, "profile", duration),
      "{{profile}} p99": quantile(0.99, "profile", duration),
      ...sla,
    },
    { dashed: "/ SLA$/" },
  ),
  "Bundle size histogram": heatmap(
    `Finished bundles by size. Bundles up to 4294967295 bytes (4 GiB) fit on a FAT32 medium in one
      file.`,
    { "{{le}}": increase("le", size) },
    { unit: "bytes" },
  ),
  "Registry push latency": seconds(
    `95th and 99th percentile of the duration of pushes of a whole bundle, including retries and
      failed pushes.`,
    {
      "{{profile}} p95": quantile(0.95, "profile", pushLatency),
      "{{profile}} p99": quantile(0.99, "profile", pushLatency),
    },
  ),
  "Provenance/attestation verification failures": bars(
    `Failed verifications, by reason. Investigate every one. The panel Verifications by result shows
      whether anything was verified at all.`,
    { "{{reason}}": increase("reason", ofInstances("export_attestation_failures_total", raised)) },
  ),
  "Queue depth": lines(
    `Exports waiting in the queue. A growing queue is no problem while Oldest running job stays
      below the SLA.`,
    { "{{instance}}": `sum by (instance) (${ofInstances("export_queue_depth")})` },
  ),
  "Error rate per profile": share(
    `Share of finished exports that failed, over the chosen window. Cancelled exports do not count.
      No line if no export finished.`,
    { "{{profile}}": `${rate("profile", failed)} / ${rate("profile", notCancelled)}` },
  ),
};

const waitingSince = ofInstances("export_queue_oldest_job_timestamp_seconds");
const storageFree = ofInstances("export_storage_free_bytes");
const lastCheck = ofInstances("export_readiness_check_last_run_timestamp_seconds");

const service: Panels = {
  "Ready": stat(
    "No if a readiness check of a chosen instance fails; /health/readiness?verbose shows which.",
    { ready: `min(${ofInstances("export_readiness_check_up")})` },
    { unit: "bool_yes_no", colors: [[null, "red"], [1, "green"]] },
  ),
  "Jobs running": stat(
    "Exports running now.",
    { running: `sum(${ofInstances("export_jobs_running")})` },
  ),
  "Oldest waiting job": stat(
    "Waiting time of the oldest export in the queue. Zero if the queue is empty.",
    { age: `max((time() - (${waitingSince} > 0)) or (${waitingSince} == 0))` },
    { unit: "s", colors: [[null, "green"], [900, "orange"], [7200, "red"]] },
  ),
  "Storage free": stat(
    "Free share of the file system with the state directory; the lowest of the chosen instances.",
    { free: `min(${storageFree} / ${ofInstances("export_storage_size_bytes")})` },
    { unit: "percentunit", colors: [[null, "red"], [0.02, "orange"], [0.1, "green"]] },
  ),
  "Verification failures, 24 h": stat(
    `Failed verifications of signatures, provenance statements and digests in the last 24 hours.
      Investigate every one.`,
    { failures: `sum(increase(${ofInstances("export_attestation_failures_total")}[24h]))` },
    { colors: [[null, "green"], [0.5, "red"]] },
  ),
  "Exports within SLA, 30 d": stat(
    `Share of finished exports that succeeded within the SLA of their profile; the objective is 99
      %. Cancelled exports do not count. Without an SLA every success counts.`,
    {
      within: `sum(increase(${ofProfiles("export_jobs_within_sla_total")}[30d]))
        / sum(increase(${notCancelled}[30d]))`,
    },
    { unit: "percentunit", colors: [[null, "red"], [0.94, "orange"], [0.99, "green"]] },
  ),
  "Alerts": table(
    `Alerts of the Export Center that are pending or firing. The watchdog always fires; the runbook
      has a section for each name.`,
    {
      // Alerts about all instances lack the label; the empty alternative includes them.
      "{{alertname}}": `max by (alertname, alertstate, severity, profile, instance, reason)
        (ALERTS{job=~"$job|",instance=~"$instance|",alertname=~"Export.+"})`,
    },
  ),
  "Build": table(
    "Version and commit of every instance, to compare with `tool` in a manifest.",
    {
      "{{instance}}": `max by (instance, version, commit, bundle_schema)
        (${ofInstances("export_build_info")})`,
    },
  ),
  "Readiness checks": lines(
    "1 while the check passes, with or without a warning; 0 while it fails.",
    { "{{check}}": `min by (check) (${ofInstances("export_readiness_check_up")})` },
    { unit: "bool_yes_no", max: 1 },
  ),
  "Readiness warnings": lines(
    `1 while the check warns: exports continue, but something will be missing soon, or is missing
      for some of them.`,
    { "{{check}}": `max by (check) (${ofInstances("export_readiness_check_warning")})` },
    { unit: "bool_yes_no", max: 1 },
  ),
  "Age of the readiness checks": seconds(
    "Checks run every 10 s. A result older than 30 s no longer counts.",
    { "{{check}}": `max by (check) (time() - ${lastCheck})` },
  ),
};

const runningSince = ofProfiles("export_running_oldest_job_start_timestamp_seconds");

const exports: Panels = {
  "Oldest running job": seconds(
    "Age of the oldest running export, by profile, and the SLA. A hung export shows only here.",
    {
      "{{profile}}": `max by (profile) (time() - (${runningSince} > 0))`,
      ...sla,
    },
    { dashed: "/ SLA$/" },
  ),
  "Export job duration distribution": heatmap(
    `Finished exports by duration. Shows whether a high percentile comes from a few exports or from
      all of them.`,
    { "{{le}}": increase("le", duration) },
    { unit: "s" },
  ),
  "Finished exports by result": lines(
    "Finished exports per hour, by result.",
    { "{{result}}": perHour("result", ofProfiles("export_jobs_total")) },
  ),
};

const lastSuccess = ofProfiles("export_last_success_timestamp_seconds");
const staleBefore = ofProfiles("export_schedule_stale_before_timestamp_seconds");
const nextRun = ofProfiles("export_schedule_next_timestamp_seconds");

const schedules: Panels = {
  "Time since the last success": seconds(
    `Time since the last successful export, by profile. With a schedule, also the age at which the
      profile is stale because two exports have been due since. A profile that never succeeded has
      no line.`,
    {
      "{{profile}}": `max by (profile) (time() - (${lastSuccess} > 0))`,
      "{{profile}} stale at": `max by (profile) (time() - (${staleBefore} > 0))`,
    },
  ),
  "Time to the next scheduled export": seconds(
    "Time until the next export is due. Profiles without a schedule have no line.",
    { "{{profile}}": `min by (profile) ((${nextRun} > 0) - time())` },
  ),
  "Scheduled exports by result": bars(
    `Scheduled exports. late: the service was down when the export was due, and ran it later.
      skipped: the previous export had not ended, so the interval is too short.`,
    { "{{result}}": increase("result", ofProfiles("export_schedule_runs_total")) },
  ),
  "Unchanged scheduled exports": bars(
    `Scheduled exports identical to the newest stored bundle, by profile; they are not stored again.
      If all exports of a profile are unchanged, its source may no longer be updated.`,
    { "{{profile}}": increase("profile", ofProfiles("export_unchanged_total")) },
  ),
  "Retries by profile": lines(
    `Exports that failed with a temporary error and were queued again, per hour. Error rates do not
      include them.`,
    { "{{profile}}": perHour("profile", ofProfiles("export_job_retries_total")) },
  ),
};

/** The last bucket that fits on FAT32, as written by Prometheus 2, 3 and a protobuf scrape. */
const fitsFat32 = ofProfiles(
  "export_bundle_size_bytes_bucket",
  String.raw`le=~"4294967295(\\.0)?|4.294967295e\\+09"`,
);

const bundles: Panels = {
  "Bundle size p50/p95": bytes(
    "Median and 95th percentile of the bundle size, by profile.",
    {
      "{{profile}} p50": quantile(0.5, "profile", size),
      "{{profile}} p95": quantile(0.95, "profile", size),
    },
  ),
  "Bundles beyond FAT32": share(
    `Share of the bundles too large for one file on a FAT32 stick (4 GiB or more): export those with
      volumeSize fat32.`,
    {
      "{{profile}}": `1 - ${rate("profile", fitsFat32)}
        / ${rate("profile", ofProfiles("export_bundle_size_bytes_count"))}`,
    },
  ),
};

const publishing: Panels = {
  "Manifest publishes by result": lines(
    "Bundles published with their manifest, per hour, by result.",
    { "{{result}}": perHour("result", ofInstances("export_manifest_publish_total")) },
  ),
  "Registry pushes by result": lines(
    "Pushes to a registry, per hour, by result.",
    { "{{result}}": perHour("result", ofProfiles("export_registry_push_total")) },
  ),
  "Verifications by result": lines(
    `Verifications of attestations, per hour, by result. The readiness self-check alone makes 360;
      with fewer, the absence of failures means little.`,
    { "{{result}}": perHour("result", ofInstances("export_attestation_verifications_total")) },
  ),
  "Rollbacks and forks": lines(
    `Bundles that a site refused in its newest run because they are older than one that it has seen
      (rollback), because another bundle has the same sequence (fork), or because their sequence is
      far above the last one. Of commands with --metrics-textfile, by node_exporter; no data
      without.`,
    {
      "{{instance}} {{profile}} {{reason}}": `sum by (instance, profile, reason)
        (export_run_findings{reason=~"fork|rollback|sequence_jump"})`,
    },
  ),
};

const processed = ofInstances("export_processed_bytes_total", 'stage=~"read|push"');

const capacity: Panels = {
  "Bytes processed": bytesPerSecond(
    "Bytes that exports read and push. Zero while an export runs: no progress.",
    { "{{stage}}": rate("stage", processed, shortRange) },
  ),
  "Storage free, and in 8 h": bytes(
    `Free space on the file system with the state directory, and the forecast for eight hours from
      the trend of the last two.`,
    {
      "{{instance}}": `min by (instance) (${storageFree})`,
      "{{instance}} in 8 h": `min by (instance) (predict_linear(${storageFree}[2h], 8 * 3600))`,
    },
  ),
};

const store: Panels = {
  "Bundles in the store": lines(
    `Stored bundles, by profile. Without a retention rule the number only rises. The profile
      _removed stands for all profiles that are no longer configured; retention does not remove
      their bundles.`,
    { "{{profile}}": `sum by (profile) (${ofProfiles("export_store_bundles")})` },
  ),
  "Size of the store": bytes(
    "Bytes of the stored bundles, by profile.",
    { "{{profile}}": `sum by (profile) (${ofProfiles("export_store_bytes")})` },
  ),
  "Bundles removed by retention": bars(
    "Bundles that the retention rule of their profile removed.",
    { "{{profile}}": increase("profile", ofProfiles("export_store_removed_total")) },
  ),
  "Damaged bundles": lines(
    `Stored bundles known to differ from their manifest. If above zero, export their profiles again
      and purge them.`,
    { "{{instance}}": `max by (instance) (${ofInstances("export_store_damaged_bundles")})` },
  ),
  "Time since the last scrub": seconds(
    `Time since all stored bundles were last read and compared. No line if that never happened or
      scrubDays is 0.`,
    {
      "{{instance}}": `max by (instance)
        (time() - (${ofInstances("export_store_scrub_timestamp_seconds")} > 0))`,
    },
  ),
};

const requests = "http_request_duration_seconds";
const errors = ofInstances(`${requests}_count`, 'code=~"4xx|5xx"');

const http: Panels = {
  "HTTP p99 by route": seconds(
    `99th percentile of the response time, by route. For events and files it is the time to the
      first byte.`,
    { "{{route}}": quantile(0.99, "route", ofInstances(`${requests}_bucket`), shortRange) },
  ),
  "HTTP requests by route": perSecond(
    "Responses per second with any status, by method and route.",
    { "{{method}} {{route}}": rate("method, route", ofInstances(`${requests}_count`), shortRange) },
  ),
  "HTTP errors by route": perSecond(
    `Responses with status 4xx and 5xx per second. 4xx: an error of the client, such as a wrong
      token. 5xx: an error of the service or its disk; the log has the reason.`,
    { "{{code}} {{route}}": rate("route, code", errors, shortRange) },
  ),
  "Requests refused": bars(
    `Requests that clients must repeat later. busy: too many open requests. queue_full: too many
      waiting exports of the tenant. followers_full: too many event streams.`,
    { "{{reason}}": increase("reason", ofInstances("export_requests_refused_total")) },
  ),
};

/** Other programs export the standard metrics too: only stella processes count. */
const ours = (query: string) =>
  `${query} and on (job, instance) ${ofInstances("export_build_info")}`;
const lag = ofInstances("export_event_loop_lag_seconds_bucket");

const process: Panels = {
  "Memory": bytes(
    "Resident memory of the service, including its worker.",
    { "{{instance}}": ours(ofInstances("process_resident_memory_bytes")) },
  ),
  "CPU": lines(
    "CPU cores in use.",
    { "{{instance}}": ours(`rate(${ofInstances("process_cpu_seconds_total")}[${shortRange}])`) },
  ),
  "Event loop lag p99": seconds(
    `99th percentile of the delay of the event loop. A blocked loop delays health responses and
      heartbeats.`,
    { "{{instance}}": quantile(0.99, "instance", lag, shortRange) },
  ),
  "Uptime": seconds(
    "Time since the start of the service; a drop is a restart.",
    { "{{instance}}": ours(`time() - ${ofInstances("process_start_time_seconds")}`) },
  ),
  "Log lines by level": bars(
    "Log lines by level. Look at every ERROR in the log.",
    { "{{level}}": increase("level", ofInstances("export_log_messages_total")) },
  ),
  "Clock set back": bars(
    `How often the clock of the machine was set back. Schedules, leases and export ids depend on
      it.`,
    { "{{instance}}": increase("instance", ofInstances("export_clock_regressions_total")) },
  ),
  "Connections refused by the egress policy": bars(
    "Connections that the egress policy refused; the log names their destinations.",
    { "{{instance}}": increase("instance", ofInstances("export_egress_refused_total")) },
  ),
};

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

/** The instruments by name, each with all series that are known beforehand at 0. */
import { Counter, type CounterConfiguration, Gauge, Histogram, type Registry } from "prom-client";
import {
  attestationFailures,
  jobResults,
  logLevels,
  publishResults,
  pushResults,
  refusals,
  scheduledRuns,
  spanResults,
  stages,
  verificationResults,
} from "../domain/labels.ts";

/** Label -> its values, as far as they are known. */
type Values<Label extends string> = Readonly<Record<Label, readonly string[]>>;
type Helps<Name extends string> = Readonly<Record<Name, string>>;

/** Bucket bounds. Seconds, in steps of 2 to 2.5. */
const durationBuckets = [0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** Bytes, powers of 4 and 16; 4294967295 is the largest file that FAT32 can hold. */
const sizeBuckets = [
  ...[65536, 1048576, 16777216, 67108864, 268435456, 1073741824],
  ...[4294967295, 17179869184, 68719476736],
];

/** Seconds; 600 is the time limit of a push, so a timeout is still within a bucket. */
const pushBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Seconds; a stage of a small export takes milliseconds, a large push an hour. */
const stageBuckets = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

/** Seconds; the defaults of prom-client, made for requests. */
const httpBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds; an iteration of the event loop takes about 0.001, health answers may take 0.02. */
const lagBuckets = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

export function createCounters(registry: Registry, profiles: readonly string[]) {
  return {
    ...counters(registry, { profile: profiles, result: jobResults }, {
      export_jobs_total: "Exports that ended, by result.",
    }),
    ...counters(registry, { profile: profiles, result: scheduledRuns }, {
      export_schedule_runs_total: "Exports that were due, by what became of them.",
    }),
    ...counters(registry, { profile: profiles, result: pushResults }, {
      export_registry_push_total: "Pushes of bundles to registries, by result.",
    }),
    ...counters(registry, { profile: profiles }, {
      export_job_retries_total:
        "Exports that failed in a way that may pass, and were put back to be tried again.",
      export_unchanged_total:
        "Scheduled exports that equalled the newest stored bundle, and stored no second one.",
      export_jobs_within_sla_total:
        "Exports that succeeded inside the SLA of their profile; without an SLA, all that did.",
      export_store_removed_total:
        "Stored bundles that were removed because they outlived the rule of their profile.",
    }),
    ...counters(registry, { stage: stages }, {
      export_processed_bytes_total: "Bytes that exports have read or pushed, by stage.",
    }),
    ...counters(registry, { result: spanResults }, {
      export_trace_spans_total: "Spans for the collector of traces, by what became of them.",
    }),
    ...counters(registry, { result: publishResults }, {
      export_manifest_publish_total: "Manifests that were to be published, by result.",
    }),
    ...counters(registry, { result: verificationResults }, {
      export_attestation_verifications_total: "Verifications of attestations, by result.",
    }),
    ...counters(registry, { reason: attestationFailures }, {
      export_attestation_failures_total: "Verifications of DSSE provenance that failed, by reason.",
    }),
    ...counters(registry, { reason: refusals }, {
      export_requests_refused_total:
        "Requests that were not taken, because the service had enough to do.",
    }),
    ...counters(registry, { level: logLevels }, {
      export_log_messages_total: "Lines of the log, by level.",
    }),
    ...counters(registry, {}, {
      export_egress_refused_total:
        "Connections that were not made because egress does not allow them.",
      export_clock_regressions_total: "How often the clock of this machine was found set back.",
      process_cpu_seconds_total: "Total user and system CPU time spent in seconds.",
    }),
  };
}

export function createGauges(registry: Registry, profiles: readonly string[]) {
  return {
    ...gauges(registry, { profile: profiles }, {
      export_last_success_timestamp_seconds:
        "When the last export of the profile succeeded, 0 where none has.",
      export_running_oldest_job_start_timestamp_seconds:
        "When the oldest running export of the profile started, 0 where none runs.",
      export_schedule_next_timestamp_seconds:
        "When the next export of the profile is due, 0 where it has no schedule.",
      export_schedule_stale_before_timestamp_seconds:
        "Two exports of the profile were due since, 0 where it has no schedule.",
      export_store_bundles: "Finished bundles of the profile in the store.",
      export_store_bytes: "Size of the finished bundles of the profile in the store.",
    }),
    ...gauges(registry, { profile: [] }, {
      export_profile_sla_seconds: "Time in which an export of the profile should be done.",
    }),
    ...gauges(registry, { profile: [], kind: [] }, {
      export_bundle_artifacts: "Files in the newest bundle of the profile, by kind.",
    }),
    ...gauges(registry, { profile: [], reason: [] }, {
      export_risk_records_left_out:
        "What is left out of the newest risk bundle of the profile, by reason.",
    }),
    ...gauges(registry, { check: [] }, {
      export_readiness_check_last_run_timestamp_seconds: "When the readiness check ran last.",
      export_readiness_check_up: "1 where the readiness check passes or warns, 0 where it fails.",
      export_readiness_check_warning: "1 where the readiness check warns.",
    }),
    ...gauges(registry, { version: [], commit: [], bundle_schema: [] }, {
      export_build_info: "Always 1; the labels tell which stella runs.",
    }),
    ...gauges(registry, {}, {
      export_queue_depth: "Exports that wait.",
      export_jobs_running: "Exports that run.",
      export_queue_oldest_job_timestamp_seconds:
        "When the oldest waiting export was asked for, 0 where none waits.",
      export_store_damaged_bundles:
        "Stored bundles that are known to differ from their manifest, since the last scrub.",
      export_store_scrub_timestamp_seconds:
        "When the last scrub of the store ended, 0 where none ever has.",
      export_storage_free_bytes: "Free bytes of the file system that holds the state directory.",
      export_storage_size_bytes: "Size of the file system that holds the state directory.",
      process_start_time_seconds: "Start time of the process since unix epoch in seconds.",
      process_resident_memory_bytes: "Resident memory size in bytes.",
    }),
  };
}

/** `slas` are seconds; a quantile can only be compared exactly with a bound, so they are bounds. */
export function createHistograms(
  registry: Registry,
  profiles: readonly string[],
  slas: readonly number[],
) {
  const durations = new Set([...durationBuckets, ...slas]);
  return {
    ...histograms(registry, [...durations].sort((a, b) => a - b), { profile: profiles }, {
      export_job_duration_seconds:
        "Time from the start of an export to its end, failed ones included.",
    }),
    ...histograms(registry, sizeBuckets, { profile: profiles }, {
      export_bundle_size_bytes: "Size of finished bundles: all files and the manifest.",
    }),
    ...histograms(registry, pushBuckets, { profile: profiles }, {
      export_registry_push_latency_seconds:
        "Whole push of one bundle to a registry, retries and failed pushes included.",
    }),
    ...histograms(registry, stageBuckets, { stage: stages }, {
      export_stage_duration_seconds: "Time that an export spent in a stage.",
    }),
    ...histograms(registry, lagBuckets, {}, {
      export_event_loop_lag_seconds: "How late the event loop of the service was.",
    }),
    ...histograms(registry, httpBuckets, { method: [], route: [], code: [] }, {
      http_request_duration_seconds:
        "Time to answer a request, by method, route and class of status.",
    }),
  };
}

function counters<Label extends string, Name extends string>(
  registry: Registry,
  values: Values<Label>,
  helps: Helps<Name>,
) {
  return create(registry, values, helps, (options, series) => {
    const made = new Counter<Label>(options);
    for (const labels of series) made.inc(labels, 0);
    return made;
  });
}

function gauges<Label extends string, Name extends string>(
  registry: Registry,
  values: Values<Label>,
  helps: Helps<Name>,
) {
  return create(registry, values, helps, (options, series) => {
    const made = new Gauge<Label>(options);
    for (const labels of series) made.set(labels, 0);
    return made;
  });
}

function histograms<Label extends string, Name extends string>(
  registry: Registry,
  buckets: number[],
  values: Values<Label>,
  helps: Helps<Name>,
) {
  return create(registry, values, helps, (options, series) => {
    const made = new Histogram<Label>({ ...options, buckets, enableExemplars: true });
    for (const labels of series) made.zero(labels);
    return made;
  });
}

/** One instrument for each name; `make` gets every combination of the known label values. */
function create<Label extends string, Name extends string, Made>(
  registry: Registry,
  values: Values<Label>,
  helps: Helps<Name>,
  make: (
    options: Omit<CounterConfiguration<Label>, "collect">,
    series: Record<Label, string>[],
  ) => Made,
): Record<Name, Made> {
  const labelNames = Object.keys(values) as Label[];
  const series = labelNames.reduce(
    (all, label) =>
      all.flatMap((one) => values[label].map((value) => ({ ...one, [label]: value }))),
    [{} as Record<Label, string>],
  );
  const made = Object.entries<string>(helps).map(([name, help]) =>
    [name, make({ name, help, labelNames, registers: [registry] }, series)] as const
  );
  return Object.fromEntries(made) as Record<Name, Made>;
}

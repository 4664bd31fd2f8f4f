/** The instruments by name, each with all its series at 0. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import {
  durationBuckets,
  httpBuckets,
  lagBuckets,
  pushBuckets,
  sizeBuckets,
  stageBuckets,
} from "./buckets.ts";
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

export type Instruments = ReturnType<typeof createInstruments>;

/** `profiles` are the values of the label `profile`; `slas` are seconds. */
export function createInstruments(registry: Registry, profiles: string[], slas: number[]) {
  const registers = [registry];
  const make = { registers, profiles };
  return {
    jobDuration: byProfile(make, {
      name: "export_job_duration_seconds",
      help: "Time from the start of an export to its end, failed ones included.",
      buckets: durationBuckets(slas),
    }),
    bundleSize: byProfile(make, {
      name: "export_bundle_size_bytes",
      help: "Size of finished bundles: all files and the manifest.",
      buckets: sizeBuckets,
    }),
    pushLatency: byProfile(make, {
      name: "export_registry_push_latency_seconds",
      help: "Whole push of one bundle to a registry, retries and failed pushes included.",
      buckets: pushBuckets,
    }),
    jobs: byProfileAndResult(make, jobResults, {
      name: "export_jobs_total",
      help: "Exports that ended, by result.",
    }),
    jobRetries: counterByProfile(make, {
      name: "export_job_retries_total",
      help: "Exports that failed in a way that may pass, and were put back to be tried again.",
    }),
    lastSuccess: gaugeByProfile(make, {
      name: "export_last_success_timestamp_seconds",
      help: "When the last export of the profile succeeded, 0 where none has.",
    }),
    nextSchedule: gaugeByProfile(make, {
      name: "export_schedule_next_timestamp_seconds",
      help: "When the next export of the profile is due, 0 where it has no schedule.",
    }),
    staleBefore: gaugeByProfile(make, {
      name: "export_schedule_stale_before_timestamp_seconds",
      help: "Two exports of the profile were due since, 0 where it has no schedule.",
    }),
    scheduledRuns: byProfileAndResult(make, scheduledRuns, {
      name: "export_schedule_runs_total",
      help: "Exports that were due, by what became of them.",
    }),
    unchanged: counterByProfile(make, {
      name: "export_unchanged_total",
      help: "Scheduled exports that equalled the newest stored bundle, and stored no second one.",
    }),
    jobsWithinSla: counterByProfile(make, {
      name: "export_jobs_within_sla_total",
      help: "Exports that succeeded inside the SLA of their profile; without an SLA, all that did.",
    }),
    stageDuration: stageHistogram(registers),
    processedBytes: byValue(registers, "stage", stages, {
      name: "export_processed_bytes_total",
      help: "Bytes that exports have read or pushed, by stage.",
    }),
    bundleArtifacts: gauge(registers, ["profile", "kind"], {
      name: "export_bundle_artifacts",
      help: "Files in the newest bundle of the profile, by kind.",
    }),
    riskLeftOut: gauge(registers, ["profile", "reason"], {
      name: "export_risk_records_left_out",
      help: "What is left out of the newest risk bundle of the profile, by reason.",
    }),
    traceSpans: byValue(registers, "result", spanResults, {
      name: "export_trace_spans_total",
      help: "Spans for the collector of traces, by what became of them.",
    }),
    pushes: byProfileAndResult(make, pushResults, {
      name: "export_registry_push_total",
      help: "Pushes of bundles to registries, by result.",
    }),
    publishes: byValue(registers, "result", publishResults, {
      name: "export_manifest_publish_total",
      help: "Manifests that were to be published, by result.",
    }),
    verifications: byValue(registers, "result", verificationResults, {
      name: "export_attestation_verifications_total",
      help: "Verifications of attestations, by result.",
    }),
    attestationFailures: byValue(registers, "reason", attestationFailures, {
      name: "export_attestation_failures_total",
      help: "Verifications of DSSE provenance that failed, by reason.",
    }),
    egressRefusals: new Counter({
      name: "export_egress_refused_total",
      help: "Connections that were not made because egress does not allow them.",
      registers,
    }),
    storedBundles: gaugeByProfile(make, {
      name: "export_store_bundles",
      help: "Finished bundles of the profile in the store.",
    }),
    storedBytes: gaugeByProfile(make, {
      name: "export_store_bytes",
      help: "Size of the finished bundles of the profile in the store.",
    }),
    storeRemoved: counterByProfile(make, {
      name: "export_store_removed_total",
      help: "Stored bundles that were removed because they outlived the rule of their profile.",
    }),
    storeDamaged: gauge(registers, [], {
      name: "export_store_damaged_bundles",
      help: "Stored bundles that are known to differ from their manifest, since the last scrub.",
    }),
    scrubbed: gauge(registers, [], {
      name: "export_store_scrub_timestamp_seconds",
      help: "When the last scrub of the store ended, 0 where none ever has.",
    }),
    clockRegressions: new Counter({
      name: "export_clock_regressions_total",
      help: "How often the clock of this machine was found set back.",
      registers,
    }),
    logMessages: byValue(registers, "level", logLevels, {
      name: "export_log_messages_total",
      help: "Lines of the log, by level.",
    }),
    loopLag: new Histogram({
      name: "export_event_loop_lag_seconds",
      help: "How late the event loop of the service was.",
      buckets: lagBuckets,
      registers,
    }),
    http: new Histogram({
      name: "http_request_duration_seconds",
      help: "Time to answer a request, by method, route and class of status.",
      buckets: httpBuckets,
      registers,
      labelNames: ["method", "route", "code"],
    }),
    refused: byValue(registers, "reason", refusals, {
      name: "export_requests_refused_total",
      help: "Requests that were not taken, because the service had enough to do.",
    }),
    checkLastRun: gauge(registers, ["check"], {
      name: "export_readiness_check_last_run_timestamp_seconds",
      help: "When the readiness check ran last.",
    }),
    sla: gauge(registers, ["profile"], {
      name: "export_profile_sla_seconds",
      help: "Time in which an export of the profile should be done.",
    }),
    checkUp: gauge(registers, ["check"], {
      name: "export_readiness_check_up",
      help: "1 where the readiness check passes or warns, 0 where it fails.",
    }),
    checkWarning: gauge(registers, ["check"], {
      name: "export_readiness_check_warning",
      help: "1 where the readiness check warns.",
    }),
    storageFree: gauge(registers, [], {
      name: "export_storage_free_bytes",
      help: "Free bytes of the file system that holds the state directory.",
    }),
    storageSize: gauge(registers, [], {
      name: "export_storage_size_bytes",
      help: "Size of the file system that holds the state directory.",
    }),
    build: gauge(registers, ["version", "commit", "bundle_schema"], {
      name: "export_build_info",
      help: "Always 1; the labels tell which stella runs.",
    }),
  };
}

interface Naming {
  name: string;
  help: string;
}

interface Make {
  registers: Registry[];
  profiles: string[];
}

function byProfile(make: Make, naming: Naming & { buckets: number[] }): Histogram<"profile"> {
  const { registers } = make;
  const labelNames = ["profile"] as const;
  const made = new Histogram({ ...naming, registers, labelNames, enableExemplars: true });
  for (const profile of make.profiles) made.zero({ profile });
  return made;
}

function stageHistogram(registers: Registry[]): Histogram<"stage"> {
  const made = new Histogram({
    name: "export_stage_duration_seconds",
    help: "Time that an export spent in a stage.",
    buckets: stageBuckets,
    registers,
    labelNames: ["stage"],
  });
  for (const stage of stages) made.zero({ stage });
  return made;
}

function gaugeByProfile(make: Make, naming: Naming): Gauge<"profile"> {
  const made = gauge(make.registers, ["profile"], naming);
  for (const profile of make.profiles) made.set({ profile }, 0);
  return made;
}

function counterByProfile(make: Make, naming: Naming): Counter<"profile"> {
  return byValue(make.registers, "profile", make.profiles, naming);
}

function byProfileAndResult<Result extends string>(
  make: Make,
  results: readonly Result[],
  naming: Naming,
): Counter<"profile" | "result"> {
  const labelNames = ["profile", "result"] as const;
  const made = new Counter({ ...naming, registers: make.registers, labelNames });
  for (const profile of make.profiles) {
    for (const result of results) made.inc({ profile, result }, 0);
  }
  return made;
}

function byValue<Label extends string>(
  registers: Registry[],
  label: Label,
  values: readonly string[],
  naming: Naming,
): Counter<Label> {
  const made = new Counter({ ...naming, registers, labelNames: [label] });
  for (const value of values) made.labels(value).inc(0);
  return made;
}

function gauge<Label extends string>(registers: Registry[], labelNames: Label[], naming: Naming) {
  return new Gauge({ ...naming, registers, labelNames });
}

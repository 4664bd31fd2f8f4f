/**
 * The metrics: names and labels are a contract with dashboards and rules. Every series exists at 0
 * from the start: a counter created at 1 hides its first event from `increase()`. Profiles are
 * label values, tenants, exports and digests never. Recording never fails a job.
 */
import process from "node:process";
import { type Counter, type Gauge, type Histogram, Registry } from "prom-client";
import { createCounters, createGauges, createHistograms } from "./instruments.ts";
import {
  artifactKinds,
  attestationFailure,
  type JobResult,
  leftOutReasons,
  methodOf,
  type PushResult,
  removedProfiles,
  stageOf,
  statusClass,
  type VerificationResult,
} from "../domain/labels.ts";
import { classicOf, classicType, openMetricsType } from "./open_metrics.ts";

/** Times in milliseconds since 1970. */
interface QueueFigures {
  queued: number;
  running: number;
  oldestQueuedAt: number | undefined;
  /** By profile: the start of the oldest running export. */
  oldestRunningAt: ReadonlyMap<string, number>;
}

export interface MetricsOptions {
  /** All values of the label `profile`; `slaSeconds` becomes a bucket bound. */
  profiles: readonly { name: string; slaSeconds?: number }[];
  build: { version: string; commit: string; bundleSchema: number };
  /** Read at each scrape: a gauge that is counted up and down would be wrong after a crash. */
  queue(): QueueFigures;
  process(): ReturnType<typeof processFigures>;
  onFault(error: unknown): void;
}

/** The number of bundles and their bytes. */
type StoredFigures = Readonly<{ bundles: number; bytes: number }>;

export type Scrape = Awaited<ReturnType<Metrics["scrape"]>>;

type Counters = ReturnType<typeof createCounters>;
type Gauges = ReturnType<typeof createGauges>;
type Histograms = ReturnType<typeof createHistograms>;
type LabelsOf<Made> = Made extends
  Counter<infer Label> | Gauge<infer Label> | Histogram<infer Label>
  ? Readonly<Record<Label, string>>
  : never;

type Counts = Readonly<Record<string, number>>;

interface Recorded {
  profile: string;
  exportId?: string;
  seconds: number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters: Counters;
  readonly #gauges: Gauges;
  readonly #histograms: Histograms;
  /** The SLA of each profile in seconds, Infinity without one. */
  readonly #slas: ReadonlyMap<string, number>;

  constructor(private readonly options: MetricsOptions) {
    const { profiles, build } = options;
    const names = profiles.map((one) => one.name);
    const slas = profiles.flatMap((one) => one.slaSeconds ?? []);
    // Its type only knows the classic format.
    this.#registry.setContentType(openMetricsType as never);
    this.#slas = new Map(profiles.map((one) => [one.name, one.slaSeconds ?? Infinity]));
    this.#counters = createCounters(this.#registry, names);
    this.#gauges = createGauges(this.#registry, names);
    this.#histograms = createHistograms(this.#registry, names, slas);
    const { version, commit, bundleSchema } = build;
    this.set("export_build_info", 1, { version, commit, bundle_schema: String(bundleSchema) });
    for (const { name: profile, slaSeconds } of profiles) {
      if (slaSeconds !== undefined) this.set("export_profile_sla_seconds", slaSeconds, { profile });
    }
  }

  count<Name extends keyof Counters>(name: Name, labels: LabelsOf<Counters[Name]>, by = 1): void {
    const counter: Counter<string> = this.#counters[name];
    this.#record(labels, () => counter.inc(labels, by));
  }

  set<Name extends keyof Gauges>(name: Name, value: number, labels: LabelsOf<Gauges[Name]>): void {
    const gauge: Gauge<string> = this.#gauges[name];
    this.#record(labels, () => gauge.set(labels, value));
  }

  /** The exportId links the histogram to the log as an exemplar; it is no label. */
  observe<Name extends keyof Histograms>(
    name: Name,
    value: number,
    labels: LabelsOf<Histograms[Name]>,
    exportId?: string,
  ): void {
    const histogram: Histogram<string> = this.#histograms[name];
    // An exemplar may have 128 characters; an id has 36.
    const exemplarLabels = exportId === undefined ? {} : { exportId };
    this.#record(labels, () => histogram.observe({ labels, value, exemplarLabels }));
  }

  /** Cancelled exports are counted, but not their duration. */
  jobFinished({ profile, exportId, result, seconds, at }: Recorded & {
    result: JobResult;
    /** Milliseconds since 1970. */
    at?: number | undefined;
  }): void {
    this.count("export_jobs_total", { profile, result });
    if (result === "cancelled") return;
    this.observe("export_job_duration_seconds", seconds, { profile }, exportId);
    if (result === "failed") return;
    if (at !== undefined) this.succeeded(profile, at);
    const isWithin = seconds <= (this.#slas.get(profile) ?? Infinity);
    if (isWithin) this.count("export_jobs_within_sla_total", { profile });
  }

  /** Also in an earlier run of the service; milliseconds since 1970. */
  succeeded(profile: string, at: number): void {
    this.set("export_last_success_timestamp_seconds", at / 1000, { profile });
  }

  /** `artifacts` counts files by kind; kinds that never occurred have no series. */
  bundleMade({ profile, exportId, bytes, artifacts, leftOut }: Omit<Recorded, "seconds"> & {
    bytes: number;
    artifacts?: Counts | undefined;
    /** For risk data: what was left out, by reason. */
    leftOut?: Counts | undefined;
  }): void {
    this.observe("export_bundle_size_bytes", bytes, { profile }, exportId);
    for (const kind of namesIn(artifacts, artifactKinds)) {
      this.set("export_bundle_artifacts", artifacts?.[kind] ?? 0, { profile, kind });
    }
    for (const reason of namesIn(leftOut, leftOutReasons)) {
      this.set("export_risk_records_left_out", leftOut?.[reason] ?? 0, { profile, reason });
    }
  }

  processed(stage: string, bytes: number): void {
    this.count("export_processed_bytes_total", { stage: stageOf(stage) }, bytes);
  }

  stageEnded(stage: string, seconds: number): void {
    this.observe("export_stage_duration_seconds", seconds, { stage: stageOf(stage) });
  }

  pushed({ profile, exportId, result, seconds }: Recorded & { result: PushResult }): void {
    this.count("export_registry_push_total", { profile, result });
    this.observe("export_registry_push_latency_seconds", seconds, { profile }, exportId);
  }

  /** `reason` is counted if `result` is failed. */
  verified(result: VerificationResult, reason?: string): void {
    this.count("export_attestation_verifications_total", { result });
    if (result === "success") return;
    this.count("export_attestation_failures_total", { reason: attestationFailure(reason) });
  }

  /** Milliseconds since 1970; undefined if no run, or no second run, will be due. */
  scheduled(profile: string, next: number | undefined, stale: number | undefined): void {
    this.set("export_schedule_next_timestamp_seconds", (next ?? 0) / 1000, { profile });
    this.set("export_schedule_stale_before_timestamp_seconds", (stale ?? 0) / 1000, { profile });
  }

  /** Bundles stored per profile; `others` are those of former profiles. */
  stored(contents: ReadonlyMap<string, StoredFigures>, others?: StoredFigures): void {
    const removed = others === undefined ? [] : [[removedProfiles, others] as const];
    for (const [profile, { bundles, bytes }] of [...contents, ...removed]) {
      this.set("export_store_bundles", bundles, { profile });
      this.set("export_store_bytes", bytes, { profile });
    }
  }

  /** The number of damaged bundles; the last scrub ended at `at`, milliseconds since 1970, or 0. */
  damaged(bundles: number, at: number): void {
    this.set("export_store_scrub_timestamp_seconds", at / 1000, {});
    this.set("export_store_damaged_bundles", bundles, {});
  }

  /** `route` is one of our templates. */
  answered(method: string, route: string, status: number, seconds: number): void {
    const labels = { method: methodOf(method), route, code: statusClass(status) };
    this.observe("http_request_duration_seconds", seconds, labels);
  }

  /** `at`: milliseconds since 1970. */
  checked(check: string, status: "pass" | "warn" | "fail", at: number): void {
    this.set("export_readiness_check_last_run_timestamp_seconds", at / 1000, { check });
    this.set("export_readiness_check_up", status === "fail" ? 0 : 1, { check });
    this.set("export_readiness_check_warning", status === "warn" ? 1 : 0, { check });
  }

  storage({ free, size }: { free: number; size: number }): void {
    this.set("export_storage_free_bytes", free, {});
    this.set("export_storage_size_bytes", size, {});
  }

  /** The classic text format; OpenMetrics with exemplars on request. */
  async scrape(openMetrics = false): Promise<{ body: string; contentType: string }> {
    this.#record({}, () => this.#refresh());
    const body = await this.#registry.metrics();
    return openMetrics
      ? { body, contentType: openMetricsType }
      : { body: classicOf(body), contentType: classicType };
  }

  #refresh(): void {
    const { queued, running, oldestQueuedAt = 0, oldestRunningAt } = this.options.queue();
    this.set("export_queue_depth", queued, {});
    this.set("export_jobs_running", running, {});
    this.set("export_queue_oldest_job_timestamp_seconds", oldestQueuedAt / 1000, {});
    for (const profile of this.#slas.keys()) {
      const since = (oldestRunningAt.get(profile) ?? 0) / 1000;
      this.set("export_running_oldest_job_start_timestamp_seconds", since, { profile });
    }
    // The three that need no permission; prom-client's own read /proc, which is not accessible.
    const { startedAt, cpuSeconds, residentBytes } = this.options.process();
    this.set("process_start_time_seconds", startedAt, {});
    this.set("process_resident_memory_bytes", residentBytes, {});
    this.#counters.process_cpu_seconds_total.reset();
    this.count("process_cpu_seconds_total", {}, cpuSeconds);
  }

  /** Records nothing for a profile that is no label value. */
  #record({ profile }: Readonly<Record<string, string>>, record: () => void): void {
    if (profile !== undefined && profile !== removedProfiles && !this.#slas.has(profile)) return;
    try {
      record();
    } catch (error) {
      this.options.onFault(error);
    }
  }
}

/** What is known of a bundle: all names, or none if nothing was counted. */
function namesIn<Name>(counts: Counts = {}, names: readonly Name[]): readonly Name[] {
  return Object.keys(counts).length === 0 ? [] : names;
}

/** Of this process: start in seconds since 1970, user and system time, resident memory. */
export function processFigures(startedAt: number) {
  const { user, system } = process.cpuUsage();
  const residentBytes = process.memoryUsage.rss();
  return { startedAt: startedAt / 1000, cpuSeconds: (user + system) / 1e6, residentBytes };
}

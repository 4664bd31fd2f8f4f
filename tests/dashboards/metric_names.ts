/**
 * Every metric that dashboards, rules and runbook may name, without what Prometheus adds: `job` and
 * `instance` come with the scrape, `_bucket`, `_count`, `_sum` and `le` with the type.
 * metric_names_test.ts compares the list with what the service exports.
 */
export interface Metric {
  type: "counter" | "gauge" | "histogram";
  labels: readonly string[];
}

export const serviceMetrics: Readonly<Record<string, Metric>> = {
  // The six requested metrics.
  export_job_duration_seconds: { type: "histogram", labels: ["profile"] },
  export_bundle_size_bytes: { type: "histogram", labels: ["profile"] },
  export_registry_push_latency_seconds: { type: "histogram", labels: ["profile"] },
  export_attestation_failures_total: { type: "counter", labels: ["reason"] },
  export_queue_depth: { type: "gauge", labels: [] },
  export_manifest_publish_total: { type: "counter", labels: ["result"] },
  // Further metrics that panels and alerts need.
  export_attestation_verifications_total: { type: "counter", labels: ["result"] },
  export_bundle_artifacts: { type: "gauge", labels: ["profile", "kind"] },
  export_build_info: { type: "gauge", labels: ["version", "commit", "bundle_schema"] },
  export_clock_regressions_total: { type: "counter", labels: [] },
  export_egress_refused_total: { type: "counter", labels: [] },
  export_event_loop_lag_seconds: { type: "histogram", labels: [] },
  export_unchanged_total: { type: "counter", labels: ["profile"] },
  export_job_retries_total: { type: "counter", labels: ["profile"] },
  export_jobs_running: { type: "gauge", labels: [] },
  export_jobs_total: { type: "counter", labels: ["profile", "result"] },
  export_jobs_within_sla_total: { type: "counter", labels: ["profile"] },
  export_last_success_timestamp_seconds: { type: "gauge", labels: ["profile"] },
  export_log_messages_total: { type: "counter", labels: ["level"] },
  export_processed_bytes_total: { type: "counter", labels: ["stage"] },
  export_profile_sla_seconds: { type: "gauge", labels: ["profile"] },
  export_queue_oldest_job_timestamp_seconds: { type: "gauge", labels: [] },
  export_readiness_check_last_run_timestamp_seconds: { type: "gauge", labels: ["check"] },
  export_readiness_check_up: { type: "gauge", labels: ["check"] },
  export_readiness_check_warning: { type: "gauge", labels: ["check"] },
  export_registry_push_total: { type: "counter", labels: ["profile", "result"] },
  export_risk_records_left_out: { type: "gauge", labels: ["profile", "reason"] },
  export_running_oldest_job_start_timestamp_seconds: { type: "gauge", labels: ["profile"] },
  export_requests_refused_total: { type: "counter", labels: ["reason"] },
  export_schedule_runs_total: { type: "counter", labels: ["profile", "result"] },
  export_schedule_stale_before_timestamp_seconds: { type: "gauge", labels: ["profile"] },
  export_schedule_next_timestamp_seconds: { type: "gauge", labels: ["profile"] },
  export_stage_duration_seconds: { type: "histogram", labels: ["stage"] },
  export_store_bytes: { type: "gauge", labels: ["profile"] },
  export_store_bundles: { type: "gauge", labels: ["profile"] },
  export_store_damaged_bundles: { type: "gauge", labels: [] },
  export_store_removed_total: { type: "counter", labels: ["profile"] },
  export_store_scrub_timestamp_seconds: { type: "gauge", labels: [] },
  export_storage_free_bytes: { type: "gauge", labels: [] },
  export_storage_size_bytes: { type: "gauge", labels: [] },
  export_trace_spans_total: { type: "counter", labels: ["result"] },
  http_request_duration_seconds: { type: "histogram", labels: ["method", "route", "code"] },
  process_cpu_seconds_total: { type: "counter", labels: [] },
  process_resident_memory_bytes: { type: "gauge", labels: [] },
  process_start_time_seconds: { type: "gauge", labels: [] },
};

/** Prometheus's own series. */
const ownSeries: Readonly<Record<string, readonly string[]>> = {
  up: [],
  ALERTS: ["alertname", "alertstate", "severity", "profile", "reason"],
};

/** Of commands with --metrics-textfile, which node_exporter exports. */
const runSeries: Readonly<Record<string, readonly string[]>> = {
  export_run_findings: ["command", "profile", "reason"],
};

/**
 * The labels of a series as Prometheus stores it, `job` and `instance` among them; undefined where
 * there is none.
 */
export function labelsOf(series: string): string[] | undefined {
  const own = ownSeries[series] ?? runSeries[series];
  if (own !== undefined) return ["job", "instance", ...own];
  const metric = serviceMetrics[series];
  if (metric !== undefined && metric.type !== "histogram") {
    return ["job", "instance", ...metric.labels];
  }
  const histogram = /^(.+)_(bucket|count|sum)$/.exec(series);
  const base = serviceMetrics[histogram?.[1] ?? ""];
  if (base?.type !== "histogram") return undefined;
  const buckets = histogram?.[2] === "bucket" ? ["le"] : [];
  return ["job", "instance", ...base.labels, ...buckets];
}

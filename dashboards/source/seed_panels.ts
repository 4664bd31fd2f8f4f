/**
 * The six panels that were asked for, with the titles and in the order of seed.md 11-16: the first row of the dashboard.
 */
import { dashed, type Draft, heatmap, timeseries } from "./grafana.ts";
import { ofInstance, ofProfile, quantile } from "./promql.ts";

function jobDuration(): Draft {
  const histogram = "export_job_duration_seconds";
  return timeseries(
    {
      title: "Export job duration p95/p99",
      description:
        "How long 95 and 99 of 100 finished exports took, per profile, over the chosen window. " +
        "Dashed: the SLA of the profile. A running export is not in here: see Oldest running job.",
      unit: "s",
    },
    [
      { expr: quantile(0.95, histogram), legend: "{{profile}} p95" },
      { expr: quantile(0.99, histogram), legend: "{{profile}} p99" },
      {
        expr: `max by (profile) (export_profile_sla_seconds{${ofProfile}})`,
        legend: "{{profile}} SLA",
      },
    ],
    { overrides: [dashed("/ SLA$/")] },
  );
}

function bundleSize(): Draft {
  return heatmap(
    {
      title: "Bundle size histogram",
      description:
        "Finished bundles per size. The bucket that ends at 4294967295 bytes (4 GiB) is the last " +
        "whose bundles fit on a FAT32 medium in one file.",
      unit: "bytes",
    },
    {
      expr:
        `sum by (le) (increase(export_bundle_size_bytes_bucket{${ofProfile}}[$__rate_interval]))`,
      legend: "{{le}}",
    },
  );
}

function pushLatency(): Draft {
  const histogram = "export_registry_push_latency_seconds";
  return timeseries(
    {
      title: "Registry push latency",
      description:
        "How long 95 and 99 of 100 pushes of a whole bundle took, retries included, failed pushes too.",
      unit: "s",
    },
    [
      { expr: quantile(0.95, histogram), legend: "{{profile}} p95" },
      { expr: quantile(0.99, histogram), legend: "{{profile}} p99" },
    ],
  );
}

/**
 * They stay at 0 until there is trust over time (telemetry/labels.ts): no line of a legend for
 * them.
 */
const later = 'reason!~"key_revoked|threshold_not_met|rollback"';

function verificationFailures(): Draft {
  return timeseries(
    {
      title: "Provenance/attestation verification failures",
      description:
        "Verifications that failed, by reason. Any bar needs a person. Whether anything was verified " +
        "at all shows Verifications by result.",
      unit: "short",
    },
    [{
      expr:
        `sum by (reason) (increase(export_attestation_failures_total{${ofInstance},${later}}[$__rate_interval]))`,
      legend: "{{reason}}",
    }],
    { bars: true },
  );
}

function queueDepth(): Draft {
  return timeseries(
    {
      title: "Queue depth",
      description:
        "Exports that wait to be run. Growth is fine while Oldest running job stays inside the SLA.",
      unit: "short",
    },
    [{ expr: `sum by (instance) (export_queue_depth{${ofInstance}})`, legend: "{{instance}}" }],
  );
}

function errorRate(): Draft {
  const finished = (result: string) =>
    `sum by (profile) (rate(export_jobs_total{${ofProfile},result${result}}[$window]))`;
  return timeseries(
    {
      title: "Error rate per profile",
      description:
        "Share of the finished exports that failed, over the chosen window. Cancelled ones do not " +
        "count; without any finished export there is no line.",
      unit: "percentunit",
    },
    [{
      expr: `${finished('="failed"')} / ${finished('!="cancelled"')}`,
      legend: "{{profile}}",
    }],
    { max: 1 },
  );
}

export function seedPanels(): Draft[] {
  return [
    jobDuration(),
    bundleSize(),
    pushLatency(),
    verificationFailures(),
    queueDepth(),
    errorRate(),
  ];
}

/** What alerts compute with, recorded: quantiles and ratios over fixed times. */
import type { Clock, Recording } from "./rule_text.ts";

/** Times over which the share of exports that miss their SLA is looked at. */
export const budgetWindows = ["30m", "6h", "3d"] as const;

/** The name of the recording for one of them. */
export function outsideSla(window: typeof budgetWindows[number]): string {
  return `job_profile:export_jobs_outside_sla:ratio_rate${window}`;
}

export function recordings(t: Clock): Recording[] {
  return [
    {
      record: "job_profile:export_job_duration_seconds:p99_1h",
      expr:
        `histogram_quantile(0.99, sum by (job, profile, le) (rate(export_job_duration_seconds_bucket[${
          t.span("1h")
        }])))`,
    },
    {
      why: `
        ">= 0" drops the NaN of half an hour without a push. Kept, one NaN would turn the average over a day, with which
        the spike is compared, into NaN, and the alert would never fire where pushes are rare.`,
      record: "job_profile:export_registry_push_latency_seconds:p95_30m",
      expr: `
        histogram_quantile(0.95, sum by (job, profile, le) (rate(export_registry_push_latency_seconds_bucket[${
        t.span("30m")
      }])))
        >= 0`,
    },
    {
      record: "job:export_registry_push_failures:ratio_rate30m",
      expr: `
        sum by (job) (rate(export_registry_push_total{result!="success"}[${t.span("30m")}]))
        / sum by (job) (rate(export_registry_push_total[${t.span("30m")}]))`,
    },
    ...budgetWindows.map((window) => budget(window, t)),
  ];
}

/** Cancelled exports are nobody's failure. */
function budget(window: typeof budgetWindows[number], t: Clock): Recording {
  return {
    record: outsideSla(window),
    expr: `
      1 - sum by (job, profile) (rate(export_jobs_within_sla_total[${t.span(window)}]))
      / sum by (job, profile) (rate(export_jobs_total{result!="cancelled"}[${t.span(window)}]))`,
  };
}

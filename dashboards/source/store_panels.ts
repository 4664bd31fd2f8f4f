/** The panels of the rows Schedules and Store: what happens by itself, and what is kept (operations.md A5 and what came after). */
import { type Draft, timeseries } from "./grafana.ts";
import { ofInstance, ofProfile, perHour } from "./promql.ts";

export function schedulePanels(): Draft[] {
  return [sinceSuccess(), nextRun(), runs(), unchanged(), retries()];
}

export function storePanels(): Draft[] {
  return [bundles(), bytes(), removed(), damaged(), sinceScrub()];
}

function sinceSuccess(): Draft {
  const last = `export_last_success_timestamp_seconds{${ofProfile}}`;
  const stale = `export_schedule_stale_before_timestamp_seconds{${ofProfile}}`;
  return timeseries(
    {
      title: "Time since the last success",
      description:
        "Age of the newest good bundle, per profile. Of a profile with a schedule also the age at which it is " +
        "stale: two exports were due since. A profile that never succeeded has no line.",
      unit: "s",
    },
    [
      { expr: `max by (profile) (time() - (${last} > 0))`, legend: "{{profile}}" },
      { expr: `max by (profile) (time() - (${stale} > 0))`, legend: "{{profile}} stale at" },
    ],
  );
}

function nextRun(): Draft {
  const next = `export_schedule_next_timestamp_seconds{${ofProfile}}`;
  return timeseries(
    {
      title: "Time to the next scheduled export",
      description: "Falls to zero and begins anew. Profiles without a schedule have no line.",
      unit: "s",
    },
    [{ expr: `min by (profile) ((${next} > 0) - time())`, legend: "{{profile}}" }],
  );
}

function runs(): Draft {
  return timeseries(
    {
      title: "Scheduled exports by result",
      description:
        "Exports that were due. Late: the service was down at that time, and made up for it. Skipped: the last " +
        "one had not ended, so the schedule asks for more than can be done.",
      unit: "short",
    },
    [{
      expr:
        `sum by (result) (increase(export_schedule_runs_total{${ofProfile}}[$__rate_interval]))`,
      legend: "{{result}}",
    }],
    { bars: true },
  );
}

function unchanged(): Draft {
  return timeseries(
    {
      title: "Unchanged scheduled exports",
      description:
        "Scheduled exports that equalled the newest stored bundle, per profile: no second copy was stored. A " +
        "profile whose exports are all unchanged may have a source that is no longer updated.",
      unit: "short",
    },
    [{
      expr: `sum by (profile) (increase(export_unchanged_total{${ofProfile}}[$__rate_interval]))`,
      legend: "{{profile}}",
    }],
    { bars: true },
  );
}

function retries(): Draft {
  return timeseries(
    {
      title: "Retries by profile",
      description:
        "Exports that failed in a way that may pass, and were put back, per hour. They hide in no error rate.",
      unit: "short",
    },
    [{ expr: perHour("profile", "export_job_retries_total", ofProfile), legend: "{{profile}}" }],
  );
}

function stored(title: string, description: string, metric: string, unit: "short" | "bytes") {
  return timeseries({ title, description, unit }, [{
    expr: `sum by (profile) (${metric}{${ofProfile}})`,
    legend: "{{profile}}",
  }]);
}

function bundles(): Draft {
  return stored(
    "Bundles in the store",
    "Finished bundles that are kept, per profile. Without a retention rule it only rises. The profile _removed " +
      "stands for all that are no more in the configuration: no rule takes their bundles.",
    "export_store_bundles",
    "short",
  );
}

function bytes(): Draft {
  return stored(
    "Size of the store",
    "Bytes of the kept bundles, per profile, as their manifests tell: what retention could give back.",
    "export_store_bytes",
    "bytes",
  );
}

function removed(): Draft {
  return timeseries(
    {
      title: "Bundles removed by retention",
      description: "Bundles that outlived the rule of their profile and were removed.",
      unit: "short",
    },
    [{
      expr:
        `sum by (profile) (increase(export_store_removed_total{${ofProfile}}[$__rate_interval]))`,
      legend: "{{profile}}",
    }],
    { bars: true },
  );
}

function damaged(): Draft {
  return timeseries(
    {
      title: "Damaged bundles",
      description:
        "Stored bundles that are known to differ from their manifest. Above zero: export them again, and purge them.",
      unit: "short",
    },
    [{
      expr: `max by (instance) (export_store_damaged_bundles{${ofInstance}})`,
      legend: "{{instance}}",
    }],
  );
}

function sinceScrub(): Draft {
  const scrub = `export_store_scrub_timestamp_seconds{${ofInstance}}`;
  return timeseries(
    {
      title: "Time since the last scrub",
      description:
        "Since all stored bundles were read and compared. No line: they never were, or scrubDays is 0.",
      unit: "s",
    },
    [{ expr: `max by (instance) (time() - (${scrub} > 0))`, legend: "{{instance}}" }],
  );
}

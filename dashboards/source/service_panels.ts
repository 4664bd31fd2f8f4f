/** The panels under the first row: they tell why one of the six looks bad. */
import { dashed, type Draft, stat, table, type Thresholds, timeseries } from "./grafana.ts";
import { ofInstance, ofProfile, perHour } from "./promql.ts";

/** `colours[0]` below the first limit, and so on upwards. */
function thresholds(colours: string[], limits: number[]): Thresholds {
  const steps = colours.map((color, at) => ({ value: limits[at - 1] ?? null, color }));
  return { mode: "absolute", steps };
}

function ready(): Draft {
  return stat(
    {
      title: "Ready",
      description:
        "No when any readiness check of any chosen instance fails; /health/readiness?verbose says which.",
      unit: "bool_yes_no",
    },
    { expr: `min(export_readiness_check_up{${ofInstance}})`, legend: "ready" },
    thresholds(["red", "green"], [1]),
  );
}

function jobsRunning(): Draft {
  return stat(
    { title: "Jobs running", description: "Exports that run now.", unit: "short" },
    { expr: `sum(export_jobs_running{${ofInstance}})`, legend: "running" },
    thresholds(["text"], []),
  );
}

function oldestWaiting(): Draft {
  const start = `export_queue_oldest_job_timestamp_seconds{${ofInstance}}`;
  return stat(
    {
      title: "Oldest waiting job",
      description: "Age of the export that waits longest. Zero when none waits.",
      unit: "s",
    },
    { expr: `max((time() - (${start} > 0)) or (${start} == 0))`, legend: "age" },
    thresholds(["green", "orange", "red"], [900, 7200]),
  );
}

function storageFree(): Draft {
  const free =
    `export_storage_free_bytes{${ofInstance}} / export_storage_size_bytes{${ofInstance}}`;
  return stat(
    {
      title: "Storage free",
      description:
        "Free share of the file system that holds the state directory; the fullest of the instances.",
      unit: "percentunit",
    },
    { expr: `min(${free})`, legend: "free" },
    thresholds(["red", "orange", "green"], [0.02, 0.1]),
  );
}

function build(): Draft {
  return table(
    {
      title: "Build",
      description:
        "Version and commit of every instance, to be compared with `tool` in a bundle's manifest.",
      unit: "none",
    },
    {
      expr: `max by (instance, version, commit, bundle_schema) (export_build_info{${ofInstance}})`,
      legend: "{{instance}}",
    },
  );
}

export function oldestRunning(): Draft {
  const start = `export_running_oldest_job_start_timestamp_seconds{${ofProfile}}`;
  return timeseries(
    {
      title: "Oldest running job",
      description:
        "Age of the oldest running export per profile, and the SLA. The only sight of one that hangs.",
      unit: "s",
    },
    [
      { expr: `max by (profile) (time() - (${start} > 0))`, legend: "{{profile}}" },
      {
        expr: `max by (profile) (export_profile_sla_seconds{${ofProfile}})`,
        legend: "{{profile}} SLA",
      },
    ],
    { overrides: [dashed("/ SLA$/")] },
  );
}

function manifestPublishes(): Draft {
  return timeseries(
    {
      title: "Manifest publishes by result",
      description: "Bundles published with their manifest, per hour, by result.",
      unit: "short",
    },
    [{
      expr: perHour("result", "export_manifest_publish_total", ofInstance),
      legend: "{{result}}",
    }],
  );
}

function registryPushes(): Draft {
  return timeseries(
    {
      title: "Registry pushes by result",
      description: "Pushes to a registry, per hour, by result.",
      unit: "short",
    },
    [{ expr: perHour("result", "export_registry_push_total", ofProfile), legend: "{{result}}" }],
  );
}

function verifications(): Draft {
  return timeseries(
    {
      title: "Verifications by result",
      description:
        "Verifications of attestations, per hour, by result; the self-check of readiness makes 360 " +
        "of them. Below that, no failure means little.",
      unit: "short",
    },
    [{
      expr: perHour("result", "export_attestation_verifications_total", ofInstance),
      legend: "{{result}}",
    }],
  );
}

function failuresOfADay(): Draft {
  return stat(
    {
      title: "Verification failures, 24 h",
      description:
        "Signatures, provenance and digests that were found wrong in a day. Above zero a person is needed.",
      unit: "short",
    },
    {
      expr: `sum(increase(export_attestation_failures_total{${ofInstance}}[24h]))`,
      legend: "failures",
    },
    thresholds(["green", "red"], [0.5]),
  );
}

function withinSla(): Draft {
  const grown = (counter: string, matchers: string) =>
    `sum(increase(${counter}{${matchers}}[30d]))`;
  const finished = grown("export_jobs_total", `${ofProfile},result!="cancelled"`);
  return stat(
    {
      title: "Exports within SLA, 30 d",
      description:
        "Share of the finished exports that succeeded inside the SLA of their profile; 99 % is the aim. " +
        "Cancelled ones do not count. Without an SLA, succeeding is enough.",
      unit: "percentunit",
    },
    { expr: `${grown("export_jobs_within_sla_total", ofProfile)} / ${finished}`, legend: "within" },
    thresholds(["red", "orange", "green"], [0.94, 0.99]),
  );
}

function firingAlerts(): Draft {
  return table(
    {
      title: "Alerts",
      description:
        "Alerts of the Export Center that fire or are about to. The watchdog is always among them; " +
        "the runbook has a section for each name.",
      unit: "none",
    },
    {
      // Alerts about all instances carry no such label, which `|` lets through.
      expr:
        'max by (alertname, alertstate, severity, profile, instance, reason) (ALERTS{job=~"$job|",' +
        'instance=~"$instance|",alertname=~"Export.+"})',
      legend: "{{alertname}}",
    },
  );
}

/** What is so now: numbers, then two tables. */
export function statePanels(): Draft[] {
  return [
    ready(),
    jobsRunning(),
    oldestWaiting(),
    storageFree(),
    failuresOfADay(),
    withinSla(),
  ];
}

export function stateTables(): Draft[] {
  return [firingAlerts(), build()];
}

/** Pushes, publishes and verifications over time. */
export function resultPanels(): Draft[] {
  return [manifestPublishes(), registryPushes(), verifications()];
}

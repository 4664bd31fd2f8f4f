/** Alerts about the service itself and about the watching: what is not scraped raises no other alert. */
import type { Alert, Clock } from "./rule_text.ts";

export function serviceAlerts(t: Clock): Alert[] {
  return [
    down(t),
    absent(t),
    metricsMissing(t),
    notReady(t),
    targetWarning(t),
    storageFillingUp(t),
    storeDamaged(),
    clockWentBackwards(t),
    restarting(t),
    watchdog(),
  ];
}

function down(t: Clock): Alert {
  return {
    alert: "ExportCenterDown",
    expr: `up{job="export-center"} == 0`,
    for: t.span("5m"),
    severity: "critical",
    summary: "An Export Center does not answer.",
    description:
      "Prometheus has not been able to scrape {{ $labels.instance }} for at least 5 minutes.",
  };
}

function absent(t: Clock): Alert {
  return {
    alert: "ExportCenterAbsent",
    expr: `absent(up{job="export-center"})`,
    for: t.span("10m"),
    severity: "critical",
    summary: "Prometheus knows no Export Center.",
    description: `
      No target of the scrape job {{ $labels.job }} exists: the scrape job is missing, renamed or has no targets.`,
  };
}

function metricsMissing(t: Clock): Alert {
  return {
    why:
      "Something answers at the address, but it is no stella: a proxy's page, or another program on the port.",
    alert: "ExportMetricsMissing",
    expr: `up{job="export-center"} == 1 unless on (job, instance) export_queue_depth`,
    for: t.span("10m"),
    severity: "warning",
    summary: "An address of an Export Center is scraped and has none of its metrics.",
    description: `
      {{ $labels.instance }} answers Prometheus, but has had no export_queue_depth for at least 10 minutes.`,
  };
}

function notReady(t: Clock): Alert {
  return {
    why: `
      The maximum over five minutes, because a single lost scrape would otherwise restart the wait. A check that only
      warns is up.`,
    alert: "ExportCenterNotReady",
    expr: `max_over_time(export_readiness_check_up[${t.span("5m")}]) == 0`,
    for: t.span("5m"),
    severity: "warning",
    summary: "A readiness check of an Export Center fails.",
    description: `
      The readiness check {{ $labels.check }} on {{ $labels.instance }} has been failing for more than 5 minutes.`,
  };
}

function targetWarning(t: Clock): Alert {
  return {
    why: "The minimum over five minutes and five more: one lost scrape does not restart the wait.",
    alert: "ExportTargetWarning",
    expr: `
      min_over_time(export_readiness_check_warning{check=~"(registry|target):.+"}[${
      t.span("5m")
    }]) == 1`,
    for: t.span("5m"),
    severity: "warning",
    summary: "A registry or a target directory of an Export Center cannot be used.",
    description: `
      The readiness check {{ $labels.check }} on {{ $labels.instance }} has been warning for more than 10 minutes.
      Exports that publish there fail.`,
  };
}

function storageFillingUp(t: Clock): Alert {
  const share = "export_storage_free_bytes / export_storage_size_bytes";
  return {
    why: "Both halves give the free share, so that the text is right whichever of them is true.",
    alert: "ExportStorageFillingUp",
    expr: `
      ${share} < 0.1
      or (${share} and predict_linear(export_storage_free_bytes[${t.span("2h")}], ${
      t.seconds(8 * 3600)
    }) < 0)`,
    for: t.span("15m"),
    severity: "warning",
    summary: "The storage of an Export Center is nearly full, or will be in hours.",
    description: `
      {{ $value | humanizePercentage }} of the storage of {{ $labels.instance }} is free. That is less than 10 %,
      or at the pace of the last 2 hours nothing will be left in 8.`,
  };
}

function storeDamaged(): Alert {
  return {
    alert: "ExportStoreDamaged",
    expr: "export_store_damaged_bundles > 0",
    severity: "warning",
    summary: "Stored bundles of an Export Center are damaged.",
    description: `
      {{ $value }} stored bundles on {{ $labels.instance }} are not as they were made, and are handed out to nobody.`,
  };
}

function clockWentBackwards(t: Clock): Alert {
  return {
    alert: "ExportClockWentBackwards",
    expr: `sum by (job, instance) (increase(export_clock_regressions_total[${t.span("15m")}])) > 0`,
    severity: "warning",
    summary: "The clock of an Export Center was set back.",
    description: `
      The clock of {{ $labels.instance }} was found set back about {{ $value | humanize }} times in the last
      15 minutes.`,
  };
}

function restarting(t: Clock): Alert {
  return {
    why: "Other programs have this metric too; only those that say that they are stella are meant.",
    alert: "ExportCenterRestarting",
    expr: `
      changes(process_start_time_seconds[${t.span("1h")}]) > 2
      and on (job, instance) export_build_info`,
    severity: "warning",
    summary: "An Export Center restarts again and again.",
    description: "{{ $labels.instance }} was started {{ $value }} times in the last hour.",
  };
}

function watchdog(): Alert {
  return {
    why: "Fires always. Let something outside of this Prometheus watch that it keeps arriving.",
    alert: "ExportCenterWatchdog",
    expr: "vector(1)",
    severity: "info",
    summary: "The alerts of the Export Center are being evaluated.",
    description: `
      This alert always fires, with the value {{ $value }}. When it stops arriving, Prometheus or the way from it is
      broken, and no other alert of the Export Center arrives either.`,
  };
}

/** The panels of the row Process: the program itself, its clock, its checks, its log. */
import { type Draft, timeseries } from "./grafana.ts";
import { ofInstance } from "./promql.ts";

export function processPanels(): Draft[] {
  return [memory(), cpu(), loopLag(), uptime()];
}

export function checkPanels(): Draft[] {
  return [checks(), warnings(), sinceChecks()];
}

export function oddityPanels(): Draft[] {
  return [logLines(), clock(), egress()];
}

/** Other programs have the standard metrics too; only those that say that they are stella are meant. */
function ours(expr: string): string {
  return `${expr} and on (job, instance) export_build_info{${ofInstance}}`;
}

function increase(counter: string, by: string): string {
  return `sum by (${by}) (increase(${counter}{${ofInstance}}[$__rate_interval]))`;
}

function memory(): Draft {
  return timeseries(
    {
      title: "Memory",
      description: "Resident memory of the service, its worker included.",
      unit: "bytes",
    },
    [{ expr: ours(`process_resident_memory_bytes{${ofInstance}}`), legend: "{{instance}}" }],
  );
}

function cpu(): Draft {
  return timeseries(
    { title: "CPU", description: "Processor cores in use.", unit: "short" },
    [{
      expr: ours(`rate(process_cpu_seconds_total{${ofInstance}}[$__rate_interval])`),
      legend: "{{instance}}",
    }],
  );
}

function loopLag(): Draft {
  return timeseries(
    {
      title: "Event loop lag p99",
      description:
        "How late the service came to its own work. A loop that is held up delays health answers and heartbeats.",
      unit: "s",
    },
    [{
      expr:
        `histogram_quantile(0.99, sum by (instance, le) (rate(export_event_loop_lag_seconds_bucket{${ofInstance}}[$__rate_interval])))`,
      legend: "{{instance}}",
    }],
  );
}

function uptime(): Draft {
  return timeseries(
    {
      title: "Uptime",
      description: "Time since the start of the service; a fall is a restart.",
      unit: "s",
    },
    [{
      expr: ours(`time() - process_start_time_seconds{${ofInstance}}`),
      legend: "{{instance}}",
    }],
  );
}

function checks(): Draft {
  return timeseries(
    {
      title: "Readiness checks",
      description: "1 while the check passes, be it with a warning; 0 while it fails.",
      unit: "bool_yes_no",
    },
    [{
      expr: `min by (check) (export_readiness_check_up{${ofInstance}})`,
      legend: "{{check}}",
    }],
    { max: 1 },
  );
}

function warnings(): Draft {
  return timeseries(
    {
      title: "Readiness warnings",
      description:
        "1 while the check warns: exports go on, but something will soon be missing or is missing to some.",
      unit: "bool_yes_no",
    },
    [{
      expr: `max by (check) (export_readiness_check_warning{${ofInstance}})`,
      legend: "{{check}}",
    }],
    { max: 1 },
  );
}

function sinceChecks(): Draft {
  const last = `export_readiness_check_last_run_timestamp_seconds{${ofInstance}}`;
  return timeseries(
    {
      title: "Age of the readiness checks",
      description: "Each runs every 10 s. After 30 s its last result counts for nothing.",
      unit: "s",
    },
    [{ expr: `max by (check) (time() - ${last})`, legend: "{{check}}" }],
  );
}

function logLines(): Draft {
  return timeseries(
    {
      title: "Log lines by level",
      description: "Lines of the log. A bar of ERROR is worth a look into it.",
      unit: "short",
    },
    [{ expr: increase("export_log_messages_total", "level"), legend: "{{level}}" }],
    { bars: true },
  );
}

function clock(): Draft {
  return timeseries(
    {
      title: "Clock set back",
      description:
        "How often the clock of the machine was found set back. Schedules, leases and names of exports live by it.",
      unit: "short",
    },
    [{ expr: increase("export_clock_regressions_total", "instance"), legend: "{{instance}}" }],
    { bars: true },
  );
}

function egress(): Draft {
  return timeseries(
    {
      title: "Connections refused by the egress policy",
      description:
        "Connections that the configuration does not allow and that were not made; the log names their destination.",
      unit: "short",
    },
    [{ expr: increase("export_egress_refused_total", "instance"), legend: "{{instance}}" }],
    { bars: true },
  );
}

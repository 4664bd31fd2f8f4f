/**
 * What dashboards/export-center-traces.json shows: what lies in the bundles (VEX, advisories, SBOMs), where exports spend
 * their time, and their traces. All but the last row comes from metrics, so that it is of use without a store of traces. Run
 * as a program, it writes the file:
 *
 *   deno run --allow-write=dashboards dashboards/source/traces_dashboard.ts
 */
import { annotations } from "./dashboard.ts";
import { type Draft, type Line, place, stat, table, timeseries, traceTable } from "./grafana.ts";
import { type Dashboard, dashboard, tracesVariable } from "./grafana_frame.ts";
import { ofInstance, ofProfile } from "./promql.ts";

const advisories = "vex|csaf|osv|kev|epss";

/** Labels of kinds are those of src/domain/artifact_kind.ts. */
function artifacts(kinds: string): string {
  return `max by (profile, kind) (export_bundle_artifacts{${ofProfile},kind=~"${kinds}"})`;
}

function observations(): Draft {
  return timeseries(
    {
      title: "VEX and advisories per bundle",
      description:
        "Files in the newest bundle of each profile, by kind: VEX statements, CSAF, OSV, KEV and EPSS. " +
        "A kind that falls to zero means that a source has dried up.",
      unit: "short",
    },
    [{ expr: artifacts(advisories), legend: "{{profile}} {{kind}}" }],
  );
}

function sboms(): Draft {
  return timeseries(
    {
      title: "SBOMs per bundle",
      description: "CycloneDX and SPDX documents in the newest bundle of each profile.",
      unit: "short",
    },
    [{ expr: artifacts("cyclonedx|spdx"), legend: "{{profile}} {{kind}}" }],
  );
}

function leftOut(): Draft {
  return timeseries(
    {
      title: "Risk records left out",
      description:
        "What is not in the newest risk bundle of each profile: bad records, ids that are none, and files that " +
        "nothing reads. The bundle lists them in rejected.ndjson and providers.json.",
      unit: "short",
    },
    [{
      expr: `max by (profile, reason) (export_risk_records_left_out{${ofProfile}})`,
      legend: "{{profile}} {{reason}}",
    }],
  );
}

function newestBundles(): Draft {
  return table(
    {
      title: "Newest bundles by kind",
      description:
        "How many files of each kind the newest bundle of each profile holds, since the service started.",
      unit: "none",
    },
    { expr: `${artifacts(".+")} > 0`, legend: "{{profile}} {{kind}}" },
    "files",
  );
}

const stage = 'stage=~"plan|read|sign|verify|store|push"';

function stageQuantiles(): Draft {
  return timeseries(
    {
      title: "Slowest stages, p95",
      description:
        "How long 95 of 100 passes through each stage of an export took; the highest line is where time goes.",
      unit: "s",
    },
    [{
      expr:
        `histogram_quantile(0.95, sum by (stage, le) (rate(export_stage_duration_seconds_bucket{${ofInstance},${stage}}[$window])))`,
      legend: "{{stage}}",
    }],
  );
}

function stageShares(): Draft {
  const spent = (by: string) =>
    `sum ${by}(rate(export_stage_duration_seconds_sum{${ofInstance},${stage}}[$window]))`;
  return timeseries(
    {
      title: "Time by stage",
      description: "Share of all the time that exports ran, by stage.",
      unit: "percentunit",
    },
    [{ expr: `${spent("by (stage) ")} / on () group_left () ${spent("")}`, legend: "{{stage}}" }],
    { max: 1 },
  );
}

function lostSpans(): Draft {
  return stat(
    {
      title: "Spans lost, 24 h",
      description:
        "Spans that could not be sent to the collector in a day. Exports do not wait for it, so only traces suffer.",
      unit: "short",
    },
    {
      expr: `sum(increase(export_trace_spans_total{${ofInstance},result="lost"}[24h]))`,
      legend: "lost",
    },
    { mode: "absolute", steps: [{ value: null, color: "green" }, { value: 0.5, color: "orange" }] },
  );
}

function sentSpans(): Draft {
  return timeseries(
    {
      title: "Spans by result",
      description: "Spans sent and lost, per hour. None at all where traces are off.",
      unit: "short",
    },
    [{
      expr: `sum by (result) (rate(export_trace_spans_total{${ofInstance}}[$window])) * 3600`,
      legend: "{{result}}",
    }],
  );
}

const own = 'resource.service.name = "stella"';

function exportTraces(): Draft {
  return traceTable(
    {
      title: "Exports",
      description:
        "Traces of exports, newest first; one leads through API, queue, worker and registry.",
      unit: "none",
    },
    { query: `{ ${own} && name = "export" && span.profile =~ "$profile" }`, tableType: "traces" },
  );
}

function failedTraces(): Draft {
  return traceTable(
    {
      title: "Failed exports and pushes",
      description: "Spans that ended with an error.",
      unit: "none",
    },
    { query: `{ ${own} && status = error && span.profile =~ "$profile" }`, tableType: "spans" },
  );
}

function slowSpans(): Draft {
  return traceTable(
    {
      title: "Stages over 10 s",
      description: "Single passes through a stage that took more than ten seconds.",
      unit: "none",
    },
    {
      query:
        `{ ${own} && name =~ "export.stage.+" && duration > 10s && span.profile =~ "$profile" }`,
      tableType: "spans",
    },
  );
}

function lines(): Line[] {
  return [
    {
      row: "What the bundles hold",
      height: 9,
      widths: [8, 5, 6, 5],
      panels: [observations(), sboms(), leftOut(), newestBundles()],
    },
    {
      row: "Where the time goes",
      height: 8,
      widths: [8, 8, 5, 3],
      panels: [stageQuantiles(), stageShares(), sentSpans(), lostSpans()],
    },
    {
      row: "Traces",
      height: 10,
      widths: [8, 8, 8],
      panels: [exportTraces(), failedTraces(), slowSpans()],
    },
  ];
}

/** The dashboard, as Grafana reads it. */
export function tracesDashboard(): Dashboard {
  return dashboard(
    {
      uid: "export-center-traces",
      title: "Export Center / Traces and observations",
      description:
        "What the newest bundles hold, which stages of exports are slow, and the traces of single exports.",
    },
    place(lines()),
    annotations(),
    [tracesVariable()],
  );
}

/** The text of the file; a test compares it with the committed one. */
export function tracesDashboardText(): string {
  return JSON.stringify(tracesDashboard(), null, 2) + "\n";
}

if (import.meta.main) {
  const file = new URL("../export-center-traces.json", import.meta.url);
  Deno.writeTextFileSync(file, tracesDashboardText());
}

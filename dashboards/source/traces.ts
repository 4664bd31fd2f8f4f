/** export-center-traces.json: bundle contents, stages, traces. Only the last row needs Tempo. */
import { stages } from "../../src/domain/labels.ts";
import type { DashboardSource } from "./dashboard.ts";
import { lines, type Panels, seconds, share, spanSearch, table, traceSearch } from "./panels.ts";
import { ofInstances, ofProfiles, perHour, quantile, rate } from "./queries.ts";

/** Documents in the newest bundle, by kind. */
function documents(kinds: string): Record<string, string> {
  const artifacts = ofProfiles("export_bundle_artifacts", `kind=~"${kinds}"`);
  return { "{{profile}} {{kind}}": `max by (profile, kind) (${artifacts})` };
}

const content: Panels = {
  "VEX per bundle": lines(
    `VEX documents in the newest bundle of each profile. A drop to zero means that a source no
      longer delivers.`,
    documents("vex"),
  ),
  "OSV per bundle": lines(
    `OSV records in the newest bundle of each profile. They have their own panel because there are
      many more of them than of other kinds.`,
    documents("osv"),
  ),
  "CSAF, KEV and EPSS per bundle": lines(
    "CSAF advisories, KEV catalogs and EPSS tables in the newest bundle of each profile.",
    documents("csaf|kev|epss"),
  ),
  "SBOMs per bundle": lines(
    "CycloneDX and SPDX documents in the newest bundle of each profile.",
    documents("cyclonedx|spdx"),
  ),
  "Risk records left out": lines(
    `Left out of the newest risk bundle of each profile: invalid records, invalid ids, and files of
      an unknown kind. rejected.ndjson and providers.json in the bundle list them.`,
    {
      "{{profile}} {{reason}}": `max by (profile, reason) (${
        ofProfiles("export_risk_records_left_out")
      })`,
    },
  ),
  "Newest bundles by kind": table(
    `Number of documents of each kind in the newest bundle of each profile made since the service
      started.`,
    Object.fromEntries(
      Object.entries(documents(".+")).map(([legend, query]) => [legend, `${query} > 0`]),
    ),
    { valueColumn: "files" },
  ),
};

const known = `stage=~"${stages.filter((stage) => stage !== "other").join("|")}"`;
const stageTime = ofInstances("export_stage_duration_seconds_sum", known);

const time: Panels = {
  "Slowest stages, p95": seconds(
    `95th percentile of the duration of each stage of an export. The highest line is the slowest
      stage.`,
    {
      "{{stage}}": quantile(
        0.95,
        "stage",
        ofInstances("export_stage_duration_seconds_bucket", known),
      ),
    },
  ),
  "Time by stage": share(
    "Share of the total running time of exports, by stage.",
    {
      "{{stage}}": `${rate("stage", stageTime)}
        / on () group_left () sum (rate(${stageTime}[$window]))`,
    },
  ),
  "Spans by result": lines(
    "Spans sent and lost, per hour. No line if traces are off.",
    { "{{result}}": perHour("result", ofInstances("export_trace_spans_total")) },
  ),
  "Spans lost, 24 h": lines(
    `Spans that could not be sent to the collector in the last 24 hours. Exports are not affected;
      only traces are incomplete.`,
    { lost: `sum(increase(${ofInstances("export_trace_spans_total", 'result="lost"')}[24h]))` },
  ),
};

const own = 'resource.service.name = "stella" && span.profile =~ "$profile"';

const searches: Panels = {
  "Exports": traceSearch(
    "Traces of exports, newest first. Each shows API, queue, worker and registry.",
    { exports: `{ ${own} && name = "export" }` },
  ),
  "Failed exports and pushes": spanSearch(
    "Spans that ended with an error.",
    { failed: `{ ${own} && status = error }` },
  ),
  "Stages over 10 s": spanSearch(
    "Stages of single exports that took more than ten seconds.",
    { slow: `{ ${own} && name =~ "export.stage.+" && duration > 10s }` },
  ),
};

export const traces: DashboardSource = {
  uid: "export-center-traces",
  title: "Export Center / Traces and observations",
  description: "Contents of the newest bundles, slow stages, and traces of exports.",
  variables: [{ type: "datasource", name: "traces", label: "Traces", query: "tempo" }],
  rows: [
    { title: "Bundle contents", panels: content },
    { title: "Stages and spans", panels: time },
    { title: "Traces", panels: searches },
  ],
};

/** Declaration of a panel, and its form in Grafana: queries, and options for each type. */
import { type MetricQuery, type Panel, prometheus, tempo, type TraceQuery } from "./grafana.ts";

/** Units, by Grafana's ids. */
type Unit = "s" | "bytes" | "Bps" | "reqps" | "percentunit" | "short" | "none" | "bool_yes_no";

export interface PanelSource {
  type: keyof typeof types;
  /** What the panel shows, how to read it, and what it does not show. */
  description: string;
  /** By legend, where `{{label}}` stands for a label: PromQL; of searches: TraceQL. */
  queries: Record<string, string>;
  /** `short`, a plain number, where it is left out; `none` in tables. */
  unit?: Unit;
  /** The end of the axis, where that is known. */
  max?: number;
  /** A regular expression for legends of limits: dashed, red, not filled. */
  dashed?: string;
  /** For a stat: each color with the lowest value for which it is shown; null for the first. */
  colors?: [from: number | null, color: string][];
  /** For a table: the title of the value column, which is omitted without one. */
  valueColumn?: string;
}

/** Panels of a row by their titles, in reading order. */
export type Panels = Record<string, PanelSource>;

type Settings = Omit<PanelSource, "type" | "description" | "queries">;

function declare(type: keyof typeof types, common: Settings = {}) {
  return (description: string, queries: Record<string, string>, own: Settings = {}) => ({
    type,
    description,
    queries,
    ...common,
    ...own,
  });
}

/** Graphs over time, by the unit of their axis. */
export const lines = declare("lines");
export const seconds = declare("lines", { unit: "s" });
export const bytes = declare("lines", { unit: "bytes" });
export const bytesPerSecond = declare("lines", { unit: "Bps" });
export const perSecond = declare("lines", { unit: "reqps" });
export const share = declare("lines", { unit: "percentunit", max: 1 });
/** Stacked; they count what happened in each minute. */
export const bars = declare("bars");
/** The buckets of a histogram. */
export const heatmap = declare("heatmap");
/** The newest values. */
export const stat = declare("stat");
export const table = declare("table");
/** What a search in the trace store finds. */
export const traceSearch = declare("traces");
export const spanSearch = declare("spans");

/** Source text may be wrapped anywhere. */
const joined = (text: string) => text.trim().replaceAll(/\s+/g, " ");

/**
 * Histograms whose exemplars name an export and link a point to the log. Only for graphs in the
 * unit of the histogram; elsewhere the points have no position.
 */
const withExemplars = [
  "export_job_duration_seconds",
  "export_bundle_size_bytes",
  "export_registry_push_latency_seconds",
];
const exemplars = new RegExp(
  `^(histogram_quantile|sum by \\(le\\)).*(${withExemplars.join("|")})_bucket`,
);

function targets({ type, queries }: PanelSource): (MetricQuery | TraceQuery)[] {
  // Current values, so that an instance that is gone shows no data instead of its last value.
  const instant = type === "stat" || type === "table";
  return Object.entries(queries).map(([legend, text], index) => {
    const refId = "ABCDEFGH".charAt(index);
    const query = joined(text);
    if (type === "traces" || type === "spans") {
      return { refId, datasource: tempo, queryType: "traceql", query, limit: 20, tableType: type };
    }
    return {
      refId,
      datasource: prometheus,
      expr: query,
      legendFormat: legend,
      format: type === "heatmap" || type === "table" ? type : "time_series",
      instant,
      range: !instant,
      exemplar: exemplars.test(query),
    };
  });
}

/**
 * For counts a step is four scrapes of 15 s: `$__rate_interval` is then one step and one scrape, so
 * that each increment appears in one bar or cell only.
 */
const countingStep = "1m";

type Look = Pick<Panel, "type" | "interval" | "options" | "transformations"> & {
  defaults?: Record<string, unknown>;
  overrides?: unknown[];
};

function graphLook({ type, max, dashed }: PanelSource): Look {
  const bars = type === "bars";
  const custom = bars
    ? { drawStyle: "bars", fillOpacity: 80, stacking: { mode: "normal", group: "A" } }
    : { drawStyle: "line", fillOpacity: 5, showPoints: "auto" };
  const limit = {
    matcher: { id: "byRegexp", options: dashed },
    properties: [
      { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
      { id: "custom.fillOpacity", value: 0 },
      { id: "color", value: { mode: "fixed", fixedColor: "red" } },
    ],
  };
  return {
    type: "timeseries",
    ...(bars ? { interval: countingStep } : {}),
    defaults: {
      min: 0,
      ...(max === undefined ? {} : { max }),
      ...(bars ? { decimals: 0 } : {}),
      custom: { lineWidth: 1, ...custom },
    },
    overrides: dashed === undefined ? [] : [limit],
    options: {
      legend: {
        displayMode: "list",
        placement: "bottom",
        showLegend: true,
        calcs: ["lastNotNull"],
      },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

function heatmapLook({ unit }: PanelSource): Look {
  return {
    type: "heatmap",
    interval: countingStep,
    options: {
      calculate: false,
      cellGap: 1,
      cellValues: { unit: "short" },
      color: { mode: "scheme", scheme: "Oranges", exponent: 0.5, fill: "dark-orange", steps: 64 },
      exemplars: { color: "rgba(255,0,255,0.7)" },
      filterValues: { le: 1e-9 },
      legend: { show: true },
      rowsFrame: { layout: "auto" },
      tooltip: { mode: "single", showColorScale: false, yHistogram: false },
      yAxis: { axisPlacement: "left", reverse: false, unit },
    },
  };
}

function statLook({ colors = [[null, "text"]] }: PanelSource): Look {
  const steps = colors.map(([value, color]) => ({ value, color }));
  return {
    type: "stat",
    defaults: { thresholds: { mode: "absolute", steps } },
    options: {
      colorMode: "value",
      graphMode: "none",
      justifyMode: "auto",
      orientation: "auto",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      textMode: "value",
    },
  };
}

/** The labels of the newest samples without their time, or the results of a trace search. */
function tableLook({ type, valueColumn }: PanelSource): Look {
  const look = { type: "table", options: { cellHeight: "sm", showHeader: true } } as const;
  if (type !== "table") return look;
  const excludeByName = { Time: true, Value: valueColumn === undefined };
  const renameByName = valueColumn === undefined ? {} : { Value: valueColumn };
  return {
    ...look,
    transformations: [{ id: "organize", options: { excludeByName, renameByName } }],
  };
}

/** Grafana divides the width into 24 columns. At 1366 pixels a third is enough for a graph. */
const third = { perLine: 3, height: 8 };
const sixth = { perLine: 6, height: 4 };
const whole = { perLine: 1, height: 6 };

const types = {
  lines: { look: graphLook, size: third },
  bars: { look: graphLook, size: third },
  heatmap: { look: heatmapLook, size: third },
  stat: { look: statLook, size: sixth },
  table: { look: tableLook, size: whole },
  traces: { look: tableLook, size: whole },
  spans: { look: tableLook, size: whole },
};

/** The panel in Grafana's form, with its position. */
export function panel(source: PanelSource, place: Pick<Panel, "id" | "gridPos" | "title">): Panel {
  const { type, description } = source;
  const { look, size } = types[type];
  const { defaults, overrides = [], ...rest } = look(source);
  const unit = source.unit ?? (size === whole ? "none" : "short");
  return {
    ...place,
    description: joined(description),
    datasource: type === "traces" || type === "spans" ? tempo : prometheus,
    targets: targets(source),
    fieldConfig: { defaults: { unit, ...defaults }, overrides },
    ...rest,
  };
}

export function sizeOf({ type }: PanelSource): { perLine: number; height: number } {
  return types[type].size;
}

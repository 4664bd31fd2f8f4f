/**
 * The little of Grafana's dashboard JSON (schema version 39, Grafana 10.4 and later) that our dashboards use, and one
 * function per kind of panel. What all dashboards of an air-gapped site have in common is decided here once: the data
 * source is a variable, nothing is editable, no URL, no `__inputs`, so the same file imports by hand and by provisioning.
 * The units are those of operations.md A5; tests/dashboards/dashboard_lint.ts holds the result to the linter's rules.
 */

/** Units of Grafana, by its own ids: seconds, bytes, a second of them or of requests, 0 to 1, plain numbers, none, 1 is yes. */
export type Unit =
  | "s"
  | "bytes"
  | "Bps"
  | "reqps"
  | "percentunit"
  | "short"
  | "none"
  | "bool_yes_no";

export interface Query {
  expr: string;
  /** `{{label}}` stands for the label's value. */
  legend: string;
}

/** A search in the store of traces, in TraceQL. */
export interface TraceTarget {
  refId: string;
  datasource: typeof traceSource;
  queryType: "traceql";
  query: string;
  limit: number;
  tableType: "traces" | "spans";
}

export interface Target {
  refId: string;
  datasource: typeof datasource;
  expr: string;
  legendFormat: string;
  format: "time_series" | "heatmap" | "table";
  instant: boolean;
  range: boolean;
}

export interface Panel {
  id: number;
  type: "timeseries" | "stat" | "heatmap" | "table" | "row";
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  description?: string;
  datasource?: typeof datasource | typeof traceSource;
  /** Smallest step between two points. */
  interval?: string;
  targets?: (Target | TraceTarget)[];
  fieldConfig?: FieldConfig;
  options?: Record<string, unknown>;
  transformations?: unknown[];
  collapsed?: boolean;
  panels?: Panel[];
}

export interface FieldConfig {
  defaults: { unit: Unit } & Record<string, unknown>;
  overrides: unknown[];
}

/** A panel that has no place yet; `place` gives it one. */
export type Draft = Omit<Panel, "id" | "gridPos">;

/** What every kind of panel needs to be understood by someone who did not make it. */
export interface Subject {
  title: string;
  /** What it shows, how to read it, and what it does not show. */
  description: string;
  unit: Unit;
}

export interface Thresholds {
  mode: "absolute";
  /** The first value is null: minus infinity. */
  steps: { value: number | null; color: string }[];
}

export const datasource = { type: "prometheus", uid: "${datasource}" } as const;
export const traceSource = { type: "tempo", uid: "${traces}" } as const;

export function isMetric(target: Target | TraceTarget): target is Target {
  return target.datasource.type === "prometheus";
}

const refIds = "ABCDEFGH";

/**
 * Where increments are counted, a step is four scrapes of 15 s. Grafana's $__rate_interval is then one step and one scrape,
 * with which every increment is in one bar or cell: with smaller steps it would be in several.
 */
const countingStep = "1m";

function target(query: Query, index: number, format: Target["format"], instant = false): Target {
  const legendFormat = query.legend;
  const refId = refIds.charAt(index);
  return { refId, datasource, expr: query.expr, legendFormat, format, instant, range: !instant };
}

/** Lines over time; or, with `bars`, stacked bars for things that are counted. */
export function timeseries(
  subject: Subject,
  queries: Query[],
  extra: { bars?: boolean; max?: number; overrides?: unknown[] } = {},
): Draft {
  const drawn = extra.bars
    ? { drawStyle: "bars", fillOpacity: 80, stacking: { mode: "normal", group: "A" } }
    : { drawStyle: "line", fillOpacity: 5, showPoints: "auto" };
  const max = extra.max === undefined ? {} : { max: extra.max };
  const decimals = extra.bars ? { decimals: 0 } : {};
  return {
    type: "timeseries",
    title: subject.title,
    description: subject.description,
    datasource,
    ...(extra.bars ? { interval: countingStep } : {}),
    targets: queries.map((query, index) => target(query, index, "time_series")),
    fieldConfig: {
      defaults: {
        unit: subject.unit,
        min: 0,
        ...max,
        ...decimals,
        custom: { lineWidth: 1, ...drawn },
      },
      overrides: extra.overrides ?? [],
    },
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

/** A limit among the lines: dashed, red, not filled. `pattern` matches legends. */
export function dashed(pattern: string): unknown {
  return {
    matcher: { id: "byRegexp", options: pattern },
    properties: [
      { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
      { id: "custom.fillOpacity", value: 0 },
      { id: "color", value: { mode: "fixed", fixedColor: "red" } },
    ],
  };
}

/** Counts per bucket of a classic histogram: the axis is in `unit`, a cell is a plain count. */
export function heatmap(subject: Subject, query: Query): Draft {
  return {
    type: "heatmap",
    title: subject.title,
    description: subject.description,
    datasource,
    interval: countingStep,
    targets: [target(query, 0, "heatmap")],
    fieldConfig: { defaults: { unit: subject.unit }, overrides: [] },
    options: {
      calculate: false,
      cellGap: 1,
      cellValues: { unit: "short" },
      color: { mode: "scheme", scheme: "Oranges", exponent: 0.5, fill: "dark-orange", steps: 64 },
      filterValues: { le: 1e-9 },
      legend: { show: true },
      rowsFrame: { layout: "auto" },
      tooltip: { mode: "single", showColorScale: false, yHistogram: false },
      yAxis: { axisPlacement: "left", reverse: false, unit: subject.unit },
    },
  };
}

/** One number, coloured by `thresholds`: that of now, so that an instance which is gone shows no data, not its last word. */
export function stat(subject: Subject, query: Query, thresholds: Thresholds): Draft {
  return {
    type: "stat",
    title: subject.title,
    description: subject.description,
    datasource,
    targets: [target(query, 0, "time_series", true)],
    fieldConfig: { defaults: { unit: subject.unit, thresholds }, overrides: [] },
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

/** Traces or spans that a search finds, newest first. */
export function traceTable(
  subject: Subject,
  search: { query: string; tableType: TraceTarget["tableType"] },
): Draft {
  const { query, tableType } = search;
  const target: TraceTarget = {
    refId: "A",
    datasource: traceSource,
    queryType: "traceql",
    query,
    limit: 20,
    tableType,
  };
  return {
    type: "table",
    title: subject.title,
    description: subject.description,
    datasource: traceSource,
    targets: [target],
    fieldConfig: { defaults: { unit: subject.unit }, overrides: [] },
    options: { cellHeight: "sm", showHeader: true },
  };
}

/** The labels of the newest samples; their time is left out, and their value too unless it gets a name. */
export function table(subject: Subject, query: Query, valueName?: string): Draft {
  return {
    type: "table",
    title: subject.title,
    description: subject.description,
    datasource,
    targets: [target(query, 0, "table", true)],
    fieldConfig: { defaults: { unit: subject.unit }, overrides: [] },
    options: { cellHeight: "sm", showHeader: true },
    transformations: [
      {
        id: "organize",
        options: {
          excludeByName: { Time: true, Value: valueName === undefined },
          renameByName: valueName === undefined ? {} : { Value: valueName },
        },
      },
    ],
  };
}

/** Panels side by side, `widths` of the 24 columns; with a title it gets a row above it. */
export interface Line {
  row?: string;
  height: number;
  widths: number[];
  panels: Draft[];
}

/** Gives every panel its place and its id, in reading order. */
export function place(lines: Line[]): Panel[] {
  const placed: Panel[] = [];
  let y = 0;
  const add = (draft: Draft, x: number, w: number, h: number) =>
    placed.push({ id: placed.length + 1, ...draft, gridPos: { x, y, w, h } });
  for (const { row, height, widths, panels } of lines) {
    if (row !== undefined) {
      add({ type: "row", title: row, collapsed: false, panels: [] }, 0, 24, 1);
      y += 1;
    }
    let x = 0;
    panels.forEach((draft, index) => {
      const width = widths[index] ?? 0;
      add(draft, x, width, height);
      x += width;
    });
    y += height;
  }
  return placed;
}

/** The part of Grafana's dashboard JSON (schema version 39, Grafana 10.4) that is used here. */

/** Data sources are variables, so that a file can be imported wherever they have other names. */
export const prometheus = { type: "prometheus", uid: "${datasource}" } as const;
export const tempo = { type: "tempo", uid: "${traces}" } as const;

export interface MetricQuery {
  refId: string;
  datasource: typeof prometheus;
  expr: string;
  legendFormat: string;
  format: "time_series" | "heatmap" | "table";
  instant: boolean;
  range: boolean;
  exemplar: boolean;
}

export interface TraceQuery {
  refId: string;
  datasource: typeof tempo;
  queryType: "traceql";
  query: string;
  limit: number;
  tableType: "traces" | "spans";
}

export interface Panel {
  id: number;
  type: "timeseries" | "stat" | "heatmap" | "table" | "row";
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  description?: string;
  datasource?: typeof prometheus | typeof tempo;
  /** Minimum step between two points. */
  interval?: string;
  targets?: (MetricQuery | TraceQuery)[];
  fieldConfig?: { defaults: Record<string, unknown>; overrides: unknown[] };
  options?: Record<string, unknown>;
  transformations?: unknown[];
  /** For a row. The panels of a collapsed row are inside it; those of an open one follow it. */
  collapsed?: boolean;
  panels?: Panel[];
}

export interface Variable {
  type: "datasource" | "query" | "custom";
  name: string;
  label: string;
  query: string;
  datasource?: typeof prometheus;
  [setting: string]: unknown;
}

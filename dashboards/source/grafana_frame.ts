/** What stands around the panels of a dashboard: variables, annotations, links (operations.md A5, "Frame"). */
import { datasource, type Panel } from "./grafana.ts";

export interface Variable {
  type: "datasource" | "query" | "custom";
  name: string;
  label: string;
  query: string;
  datasource?: typeof datasource;
  [setting: string]: unknown;
}

export interface Annotation {
  name: string;
  datasource: typeof datasource;
  expr: string;
  [setting: string]: unknown;
}

export interface Dashboard {
  uid: string;
  id: null;
  title: string;
  description: string;
  editable: boolean;
  templating: { list: Variable[] };
  annotations: { list: Annotation[] };
  panels: Panel[];
  [setting: string]: unknown;
}

/** The data source is chosen when the dashboard is opened, so the file names none. */
function datasourceVariable(): Variable {
  return { type: "datasource", name: "datasource", label: "Data source", query: "prometheus" };
}

/** A multiple choice of a label's values; all of them is `.+`, which also keeps the matcher from matching nothing. */
function labelVariable(name: string, label: string, query: string, chosen: string): Variable {
  const current = chosen === "$__all"
    ? { text: ["All"], value: ["$__all"] }
    : { text: [chosen], value: [chosen] };
  return {
    type: "query",
    name,
    label,
    datasource,
    query,
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".+",
    current,
  };
}

/** Over which time rates and quantiles are taken: exports are rare, so Grafana's own interval would leave gaps. */
function windowVariable(): Variable {
  const values = ["30m", "1h", "6h", "1d"];
  const option = (value: string) => ({ text: value, value, selected: value === "1h" });
  return {
    type: "custom",
    name: "window",
    label: "Window",
    query: values.join(","),
    options: values.map(option),
    current: option("1h"),
  };
}

/** Where traces are kept; a site without such a store leaves it empty, and only the panels of traces with it. */
export function tracesVariable(): Variable {
  return { type: "datasource", name: "traces", label: "Traces", query: "tempo" };
}

/** The job is `export-center` until another is chosen: "all" would take in every process that Prometheus scrapes. */
export function variables(): Variable[] {
  const ofInstance = 'job=~"$job",instance=~"$instance"';
  return [
    datasourceVariable(),
    labelVariable("job", "Job", "label_values(export_build_info, job)", "export-center"),
    labelVariable(
      "instance",
      "Instance",
      'label_values(export_build_info{job=~"$job"}, instance)',
      "$__all",
    ),
    labelVariable(
      "profile",
      "Profile",
      `label_values(export_jobs_total{${ofInstance}}, profile)`,
      "$__all",
    ),
    windowVariable(),
  ];
}

/** A mark on every graph where `expr` has a value. */
export function annotation(
  name: string,
  expr: string,
  text: string,
  iconColor: string,
): Annotation {
  return {
    name,
    datasource,
    enable: true,
    expr,
    iconColor,
    step: "60s",
    titleFormat: name,
    textFormat: text,
  };
}

/** The whole file; read-only, UTC, refreshed every minute, linked to its sisters by their common tag. */
export function dashboard(
  name: { uid: string; title: string; description: string },
  panels: Panel[],
  annotations: Annotation[],
  moreVariables: Variable[] = [],
): Dashboard {
  return {
    uid: name.uid,
    id: null,
    title: name.title,
    description: name.description,
    tags: ["export-center"],
    editable: false,
    graphTooltip: 1,
    timezone: "utc",
    refresh: "1m",
    time: { from: "now-24h", to: "now" },
    schemaVersion: 39,
    version: 1,
    links: [{
      type: "dashboards",
      title: "Export Center",
      tags: ["export-center"],
      tooltip: "",
      icon: "external link",
      targetBlank: false,
      asDropdown: true,
      includeVars: true,
      keepTime: true,
    }],
    annotations: { list: annotations },
    templating: { list: [...variables(), ...moreVariables] },
    panels,
  };
}

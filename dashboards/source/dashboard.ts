/** Builds a dashboard from its rows, without URL and `__inputs`: it is imported offline. */
import { type Panel, prometheus, type Variable } from "./grafana.ts";
import { panel, type Panels, sizeOf } from "./panels.ts";
import { ofInstances } from "./queries.ts";

export interface DashboardSource {
  uid: string;
  title: string;
  description: string;
  /** Panels below the heading of their row; the top row may have none. */
  rows: { title?: string; panels: Panels }[];
  /** Variables in addition to the common ones. */
  variables?: Variable[];
}

export type Dashboard = ReturnType<typeof dashboard> & { [setting: string]: unknown };

type Titled = [title: string, panel: Panels[string]];

/** Lines of full width: neighbours of one size share a line, five graphs become three and two. */
function lines(panels: Panels): Titled[][] {
  const groups: Titled[][] = [];
  for (const one of Object.entries(panels)) {
    const last = groups.at(-1);
    if (last?.[0] !== undefined && sizeOf(last[0][1]) === sizeOf(one[1])) last.push(one);
    else groups.push([one]);
  }
  return groups.flatMap((group) => {
    const count = Math.ceil(
      group.length / Math.min(...group.map(([, one]) => sizeOf(one).perLine)),
    );
    const start = (line: number) => Math.ceil(line * group.length / count);
    return Array.from({ length: count }, (_, at) => group.slice(start(at), start(at + 1)));
  });
}

/** All rows but the first two are collapsed: their queries run when they are opened. */
const openRows = 2;

/** Assigns positions and ids in reading order. */
function placed(rows: DashboardSource["rows"]): Panel[] {
  let [id, y, titled] = [0, 0, 0];
  const below = (panels: Panels) =>
    lines(panels).flatMap((line) => {
      const h = Math.max(...line.map(([, one]) => sizeOf(one).height));
      const column = (at: number) => Math.floor(24 * at / line.length);
      const made = line.map(([title, source], at) => {
        const gridPos = { x: column(at), y, w: column(at + 1) - column(at), h };
        return panel(source, { id: ++id, gridPos, title });
      });
      y += h;
      return made;
    });
  return rows.flatMap(({ title, panels }) => {
    if (title === undefined) return below(panels);
    const collapsed = ++titled > openRows;
    const row = { id: ++id, type: "row", title, gridPos: { x: 0, y, w: 24, h: 1 } } as const;
    const after = ++y;
    const inside = below(panels);
    if (collapsed) y = after;
    return [{ ...row, collapsed, panels: collapsed ? inside : [] }, ...(collapsed ? [] : inside)];
  });
}

/** A choice of label values. "All" is `.+`: `.*` also matches series without the label. */
function choice(name: string, label: string, query: string, chosen?: string): Variable {
  return {
    type: "query",
    name,
    label,
    datasource: prometheus,
    query,
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".+",
    current: { text: [chosen ?? "All"], value: [chosen ?? "$__all"] },
  };
}

const ranges = ["30m", "1h", "6h", "1d"].map((value) => ({
  text: value,
  value,
  selected: value === "1h",
}));

/** The data source is chosen on opening; without a default job all scraped processes count. */
const variables: Variable[] = [
  { type: "datasource", name: "datasource", label: "Data source", query: "prometheus" },
  choice("job", "Job", "label_values(export_build_info, job)", "export-center"),
  choice("instance", "Instance", 'label_values(export_build_info{job=~"$job"}, instance)'),
  choice("profile", "Profile", `label_values(${ofInstances("export_jobs_total")}, profile)`),
  {
    type: "custom",
    name: "window",
    label: "Window",
    query: ranges.map((one) => one.value).join(),
    options: ranges,
    current: ranges.find((one) => one.selected),
  },
];

const build = ofInstances("export_build_info");
const restarts = `changes(${ofInstances("process_start_time_seconds")}[2m]) > 0`;
/** On every graph where the query has a value: name, color, query and text. */
const annotations = ([
  ["Restart", "blue", `${restarts} and on (job, instance) ${build}`, "{{instance}}"],
  ["Version change", "purple", `${build} unless ${build} offset 5m`, "{{instance}} {{version}}"],
  [
    "Alert",
    "red",
    'ALERTS{job=~"$job",alertstate="firing",alertname=~"Export.+"}',
    "{{alertname}} {{profile}} {{instance}}",
  ],
] as const).map(([name, iconColor, expr, textFormat]) => ({
  ...{ name, datasource: prometheus, enable: true, expr, iconColor, step: "60s" },
  titleFormat: name,
  textFormat,
}));

/** The dashboard in Grafana's form: in UTC, and linked to the others by their common tag. */
export function dashboard(source: DashboardSource) {
  const { uid, title, description, rows } = source;
  return {
    uid,
    id: null,
    title,
    description,
    tags: ["export-center"],
    editable: true,
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
    templating: { list: [...variables, ...(source.variables ?? [])] },
    panels: placed(rows),
  };
}

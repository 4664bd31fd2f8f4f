import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import type { MetricQuery, Panel, TraceQuery } from "../../dashboards/source/grafana.ts";

/** All panels in reading order, including those in collapsed rows. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

export function isMetric(target: MetricQuery | TraceQuery): target is MetricQuery {
  return target.datasource.type === "prometheus";
}

/** The Prometheus queries of the panels; other panels query the trace store. */
export function metricTargets(panels: readonly Panel[]): MetricQuery[] {
  return panels.flatMap((panel) => panel.targets ?? []).filter(isMetric);
}

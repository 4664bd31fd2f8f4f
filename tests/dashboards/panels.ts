import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import type { MetricQuery, Panel, TraceQuery } from "../../dashboards/source/grafana.ts";

/** All panels in reading order, also those that are inside of collapsed rows. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

export function isMetric(target: MetricQuery | TraceQuery): target is MetricQuery {
  return target.datasource.type === "prometheus";
}

/** What the panels ask Prometheus; other panels search the store of traces. */
export function metricTargets(panels: readonly Panel[]): MetricQuery[] {
  return panels.flatMap((panel) => panel.targets ?? []).filter(isMetric);
}

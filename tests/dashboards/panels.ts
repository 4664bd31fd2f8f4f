import type { Dashboard } from "../../dashboards/source/dashboard.ts";
import type { Panel, Target, TraceTarget } from "../../dashboards/source/grafana.ts";

/** All panels in reading order, also those that are inside of collapsed rows. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

export function isMetric(target: Target | TraceTarget): target is Target {
  return target.datasource.type === "prometheus";
}

/** What the panels ask Prometheus; other panels search the store of traces. */
export function metricTargets(panels: readonly Panel[]): Target[] {
  return panels.flatMap((panel) => panel.targets ?? []).filter(isMetric);
}

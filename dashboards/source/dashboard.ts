/**
 * What dashboards/export-center-observability.json shows. The first row is the six panels that were asked for
 * (seed.md 11-16); under it stands what tells why one of them looks bad. Run as a program, it writes the file:
 *
 *   deno run --allow-write=dashboards dashboards/source/dashboard.ts
 */
import { type Line, place } from "./grafana.ts";
import { type Annotation, annotation, type Dashboard, dashboard } from "./grafana_frame.ts";
import { bundlePanels, capacityPanels, exportPanels } from "./flow_panels.ts";
import { httpPanels } from "./http_panels.ts";
import { checkPanels, oddityPanels, processPanels } from "./process_panels.ts";
import { ofInstance } from "./promql.ts";
import { seedPanels } from "./seed_panels.ts";
import { oldestRunning, resultPanels, statePanels, stateTables } from "./service_panels.ts";
import { schedulePanels, storePanels } from "./store_panels.ts";

function lines(): Line[] {
  return [
    { height: 9, widths: [4, 4, 4, 4, 4, 4], panels: seedPanels() },
    { row: "Service", height: 4, widths: [4, 4, 4, 4, 4, 4], panels: statePanels() },
    { height: 7, widths: [14, 10], panels: stateTables() },
    { height: 7, widths: [8, 8, 8], panels: checkPanels() },
    { row: "Exports", height: 8, widths: [8, 8, 8], panels: [oldestRunning(), ...exportPanels()] },
    { row: "Schedules and retries", height: 8, widths: [5, 5, 5, 5, 4], panels: schedulePanels() },
    { row: "Bundles", height: 8, widths: [12, 12], panels: bundlePanels() },
    { row: "Publishing and trust", height: 8, widths: [8, 8, 8], panels: resultPanels() },
    { row: "Capacity", height: 8, widths: [12, 12], panels: capacityPanels() },
    { row: "Store", height: 8, widths: [5, 5, 5, 4, 5], panels: storePanels() },
    { row: "HTTP", height: 8, widths: [6, 6, 6, 6], panels: httpPanels() },
    { row: "Process", height: 8, widths: [6, 6, 6, 6], panels: processPanels() },
    { height: 8, widths: [8, 8, 8], panels: oddityPanels() },
  ];
}

export function annotations(): Annotation[] {
  const info = `export_build_info{${ofInstance}}`;
  return [
    annotation(
      "Restart",
      `changes(process_start_time_seconds{${ofInstance}}[2m]) > 0 and on (job, instance) ${info}`,
      "{{instance}}",
      "blue",
    ),
    annotation(
      "Version change",
      `${info} unless ${info} offset 5m`,
      "{{instance}} {{version}}",
      "purple",
    ),
    annotation(
      "Alert",
      'ALERTS{job=~"$job",alertstate="firing",alertname=~"Export.+"}',
      "{{alertname}} {{profile}} {{instance}}",
      "red",
    ),
  ];
}

/** The dashboard, as Grafana reads it. */
export function exportCenterDashboard(): Dashboard {
  return dashboard(
    {
      uid: "export-center",
      title: "Export Center / Observability",
      description:
        "Exports, bundles, pushes, verification and queue of the Export Centers of this site.",
    },
    place(lines()),
    annotations(),
  );
}

/** The text of the file; a test compares it with the committed one. */
export function dashboardText(): string {
  return JSON.stringify(exportCenterDashboard(), null, 2) + "\n";
}

if (import.meta.main) {
  const file = new URL("../export-center-observability.json", import.meta.url);
  Deno.writeTextFileSync(file, dashboardText());
}

/**
 * `deno task dashboards` writes the dashboards from their declarations.
 *
 * To add a panel: write it into a row of observability.ts or traces.ts (panels.ts has the fields of
 * a PanelSource, queries.ts the common shapes of queries), run `deno task dashboards`, and commit
 * the JSON with it. A panel needs no place: three graphs, or six numbers, share a line.
 * `deno test -A tests/dashboards` says what is missing: each query has to parse, its metrics and
 * labels have to exist, each metric has to be on a panel. A panel that uses `$window` is listed in
 * dashboards/.lint, because Grafana's linter wants `$__rate_interval`.
 *
 * To add an alert: see the head of dashboards/export-center.rules.yml, which is written by hand.
 */
import { dashboard } from "./dashboard.ts";
import { observability } from "./observability.ts";
import { traces } from "./traces.ts";

/** By file name in dashboards/. */
export const dashboards = {
  "export-center-observability.json": dashboard(observability),
  "export-center-traces.json": dashboard(traces),
};

if (import.meta.main) {
  for (const [name, made] of Object.entries(dashboards)) {
    const text = JSON.stringify(made, null, 2) + "\n";
    Deno.writeTextFileSync(new URL(`../${name}`, import.meta.url), text);
  }
}

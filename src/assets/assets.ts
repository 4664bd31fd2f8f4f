/**
 * Files embedded in the binary: what operators need comes out of the one file. Dashboards, rules
 * and runbook are those of dashboards/, the units those of systemd/ beside this file (units.ts);
 * the SBOM is generated. Text is imported, so it is the same in every form.
 *
 * self.ts has facts about the binary's own bytes.
 */
import dashboard from "../../dashboards/export-center-observability.json" with { type: "text" };
import traces from "../../dashboards/export-center-traces.json" with { type: "text" };
import runbook from "../../dashboards/observability.md" with { type: "text" };
import collector from "../../dashboards/otel-collector.yaml" with { type: "text" };
import prometheus from "../../dashboards/prometheus.yml" with { type: "text" };
import rulesTest from "../../dashboards/export-center.rules.test.yml" with { type: "text" };
import rules from "../../dashboards/export-center.rules.yml" with { type: "text" };
import lock from "../../deno.lock" with { type: "text" };
import { build } from "../domain/version.ts";
import { renderSbom } from "./sbom.ts";
import { units } from "./units.ts";

export type AssetKind =
  | "dashboard"
  | "rules"
  | "scrape"
  | "collector"
  | "runbook"
  | "unit"
  | "sbom";

export interface Asset {
  /** Relative, below `dashboards/` or `systemd/`, or `sbom.cdx.json`. */
  path: string;
  bytes: Uint8Array;
  kind: AssetKind;
}

/** All assets, sorted by the bytes of the path: the payload of `kit`, the same for each run. */
export function assets(): Asset[] {
  const { version, commit, form } = build();
  const name = form === "compiled" ? "denort" : "deno";
  const runtime = { name, version: Deno.version.deno } as const;
  const sbom = renderSbom(lock, { version, commit, runtime });
  const texts: [string, AssetKind, string][] = [
    ["dashboards/export-center-observability.json", "dashboard", dashboard],
    ["dashboards/export-center-traces.json", "dashboard", traces],
    ["dashboards/export-center.rules.test.yml", "rules", rulesTest],
    ["dashboards/export-center.rules.yml", "rules", rules],
    ["dashboards/observability.md", "runbook", runbook],
    ["dashboards/otel-collector.yaml", "collector", collector],
    ["dashboards/prometheus.yml", "scrape", prometheus],
    ["sbom.cdx.json", "sbom", sbom],
    ...Object.entries(units(form)).map((
      [name, text],
    ): [string, AssetKind, string] => [`systemd/${name}`, "unit", text]),
  ];
  return texts.map(([path, kind, text]) => ({ path, bytes: new TextEncoder().encode(text), kind }));
}

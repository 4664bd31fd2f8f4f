/**
 * A configuration with the profile `risk` over the fixtures, and the command line that exports it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, root } from "../support/program.ts";

const kinds = [["kev", "kev.json"], ["osv", "osv"], ["epss", "epss.csv"], ["csaf", "csaf"]];

/**
 * Writes stella.yaml; `more` are further lines of it.
 * @returns the options that name it
 */
export function riskConfig(home: Home, more = ""): string[] {
  const data = join(root, "tests/fixtures/risk");
  const providers = kinds.map(([kind, name]) =>
    `      - { kind: ${kind}, path: ${join(data, name!)}, licence: CC0-1.0 }`
  );
  const profile = ["profiles:", "  risk:", "    kind: risk", "    providers:"];
  const path = join(home.path, "stella.yaml");
  writeFileSync(path, ["version: 1", ...profile, ...providers, more].join("\n"));
  return ["--config", path];
}

export const exportRisk = [
  "export",
  "bundle",
  "--profile",
  "risk",
  "--manifest",
  "out/manifest.json",
];

/** The metrics page lists every metric of the service with its type and labels, and every alert. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "../support/program.ts";
import { pageText } from "./pages.ts";

/** The cells of the table rows below a heading. */
function rowsBelow(heading: string): string[][] {
  const section = pageText("metrics").split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const names = (cell: string) => [...cell.matchAll(/`(\w+)`/g)].map((found) => found[1]!);

Deno.test("the metrics page lists every metric with its type and labels", () => {
  const contract: Record<string, { type: string; labels: string[] }> = JSON.parse(
    readFileSync(join(root, "tests/fixtures/contract.json"), "utf8"),
  ).metrics;
  const rows = rowsBelow("Metrics");
  const listed = rows.map(([name = ""]) => names(name)[0]);
  assert.deepEqual(listed, Object.keys(contract).toSorted());
  for (const [name = "", type, labels = ""] of rows) {
    const known = contract[names(name)[0]!]!;
    assert.equal(type, known.type, name);
    // A gauge without a value yet shows no labels in the contract.
    const expected = known.labels.filter((label) => label !== "le");
    const found = names(labels);
    assert.ok(expected.length === 0 || found.join() === expected.join(), `${name}: ${labels}`);
  }
});

Deno.test("the metrics page lists every alert with its severity, and links to its section", () => {
  const path = join(root, "dashboards/export-center.rules.yml");
  const { groups } = parse(readFileSync(path, "utf8")) as {
    groups: { rules: { alert?: string; labels?: { severity: string } }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert !== undefined);
  const runbook = "../../dashboards/observability.md";
  assert.deepEqual(
    rowsBelow("Alerts").map(([link, severity]) => `${link} ${severity}`),
    alerts.map(({ alert, labels }) =>
      `[${alert}](${runbook}#${alert!.toLowerCase()}) ${labels?.severity}`
    ),
  );
});

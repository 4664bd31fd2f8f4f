/** The reasons and codes on the verification page match the program. */
import assert from "node:assert/strict";
import { exitCodes, reasons } from "../../src/domain/errors.ts";
import { pageText } from "./pages.ts";

/** The first cells of the table below a heading. */
function firstCells(heading: string): string[] {
  const section = pageText("verification").split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((row) => row.split("|")[1]!.trim());
}

Deno.test("every reason that the verification page explains exists in the program", () => {
  const known = new Set<string>(Object.values(reasons).flat());
  const named = firstCells("What to do for each finding")
    .flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((found) => found[1]!));
  assert.ok(named.length > 20);
  assert.deepEqual(named.filter((reason) => !known.has(reason)), []);
});

Deno.test("the verification page has every exit code", () => {
  const codes = [...new Set(Object.values(exitCodes))].toSorted((a, b) => a - b);
  assert.deepEqual(firstCells("Exit codes").map(Number), codes);
});

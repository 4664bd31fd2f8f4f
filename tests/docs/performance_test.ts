/** The README's speed table repeats rows of the performance page. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/program.ts";
import { pageText } from "./pages.ts";

/** The first three cells of each row of the speed table. */
function rowsOf(text: string): string[] {
  const table = text.slice(text.indexOf("| work ")).split("\n\n")[0] ?? "";
  return table.split("\n").slice(2).map((line) =>
    line.split("|").slice(1, 4).map((cell) => cell.trim()).join(" | ")
  );
}

Deno.test("each row of the README's speed table is on the performance page", () => {
  const measured = rowsOf(pageText("performance"));
  const repeated = rowsOf(readFileSync(join(root, "README.md"), "utf8"));
  assert.ok(repeated.length >= 8, repeated.join("\n"));
  assert.deepEqual(repeated.filter((row) => !measured.includes(row)), []);
});

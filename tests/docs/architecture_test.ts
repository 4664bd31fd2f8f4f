/** Compares the tables of the architecture page with those that the tests of the code use. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/program.ts";
import { pageText } from "./pages.ts";

const page = pageText("architecture");

/** The rows of the table below a heading: their cells. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`${heading}\n`)[1]?.split(/\n#+ /)[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((found) => found[1]!);

Deno.test("the architecture page has the same import table as the test of imports", () => {
  const source = readFileSync(join(root, "tests/imports_test.ts"), "utf8");
  const table = /const allowed: Record<string, string\[\]> = (\{[^]*?\n\});/.exec(source)![1]!;
  const allowed: Record<string, string[]> = new Function(`return ${table}`)();
  const shown = rowsBelow("### Which module may import which").map((
    [module = "", imports = ""],
  ) => [
    quoted(module)[0],
    quoted(imports),
  ]);
  assert.deepEqual(Object.fromEntries(shown), allowed);
});

Deno.test("the architecture page gives a reason for exactly the packages in use", () => {
  const { imports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
  const shown = rowsBelow("## Dependencies").flatMap(([packages = ""]) => quoted(packages));
  assert.deepEqual(shown.toSorted(), Object.keys(imports).toSorted());
});

Deno.test("the architecture page answers each line of the request", () => {
  const numbers = rowsBelow("## What was asked").map(([number]) => Number(number));
  assert.deepEqual(numbers, Array.from({ length: 45 }, (_, i) => i + 1));
});

Deno.test("every module has a line on the architecture page", () => {
  const folders = [...Deno.readDirSync(join(root, "src"))].map(({ name }) => `src/${name}`);
  const shown = rowsBelow("## Modules").map(([link = ""]) => /^\[([^\]]+)\]/.exec(link)?.[1] ?? "");
  for (const folder of folders) assert.ok(shown.includes(folder), folder);
  for (const path of shown) assert.ok(existsSync(join(root, path)), path);
});

/** Links in the manual and the README lead to existing files, pages and headings. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { headingsOf } from "../../src/http/markdown.ts";
import { root } from "../support/program.ts";
import { pageNames } from "./pages.ts";

const pages = [
  "README.md",
  "dashboards/observability.md",
  ".github/CONTRIBUTING.md",
  ".github/PULL_REQUEST_TEMPLATE.md",
  ".github/SECURITY.md",
  ...pageNames().map((name) => `src/docs/${name}.md`),
];

/** The text without code. */
function prose(path: string): string {
  const text = readFileSync(join(root, path), "utf8");
  return text.replaceAll(/^( *)```[^]*?^\1```$/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

function fragmentsOf(path: string): string[] {
  return headingsOf(readFileSync(join(root, path), "utf8")).map(({ id }) => id);
}

for (const page of pages) {
  Deno.test(`every link of ${page} has an existing target`, () => {
    for (const [, target = ""] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", fragment] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(root, file)), `${page}: ${target}`);
      if (fragment === undefined) continue;
      assert.ok(fragmentsOf(file).includes(fragment), `${page}: ${target}`);
    }
  });

  Deno.test(`no two headings of ${page} share an anchor`, () => {
    const ids = fragmentsOf(page);
    assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), []);
  });
}

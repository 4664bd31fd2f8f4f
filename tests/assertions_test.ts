/**
 * Casts and non-null assertions disable the type checker, so their number may only decrease. The
 * remaining ones cover what a type cannot express: fields of a record whose schema has been checked
 * (risk, store), columns of a table (jobs), messages between workers (bundle, jobs), gaps in the
 * types of Deno and node (http, net, verify), and list elements that are known to exist.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./support/program.ts";

/** The most that each module may have; lower a number when some are gone. */
const maxCasts: Record<string, number> = {
  assets: 1,
  attest: 1,
  build: 1,
  bundle: 9,
  cli: 9,
  config: 1,
  domain: 8,
  http: 8,
  jobs: 11,
  net: 4,
  registry: 1,
  risk: 15,
  service: 1,
  std: 1,
  store: 1,
  telemetry: 5,
  verify: 3,
};
const maxAssertions: Record<string, number> = {
  build: 4,
  bundle: 14,
  config: 3,
  export: 12,
  http: 1,
  jobs: 1,
  net: 2,
  output: 2,
  registry: 6,
  risk: 9,
  service: 1,
  telemetry: 1,
  verify: 17,
};

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path));

/** Code without comments, strings and import or export lists. */
function bareCode(text: string): string {
  return text
    .replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""')
    .replace(/^(?:import|export) (?:type )?(?:\*|\{)[^;]*;/gm, "")
    .replace(/`(?:[^`\\]|\\.)*`/g, (template) => (template.match(/\$\{[^}]*\}/g) ?? []).join(" "));
}

function checkAtMost(found: Map<string, number>, max: Record<string, number>, what: string) {
  const over = [...found].filter(([module, count]) => count > (max[module] ?? 0));
  const printed = over.map(([module, count]) =>
    `src/${module}: ${count}, at most ${max[module] ?? 0}`
  );
  assert.deepEqual(printed, [], `say it with a type instead of ${what}`);
}

function countBy(modules: Iterable<string>): Map<string, number> {
  const found = new Map<string, number>();
  for (const module of modules) found.set(module, (found.get(module) ?? 0) + 1);
  return found;
}

const moduleOf = (path: string) => path.split("/")[0] ?? "";

Deno.test("no module has more casts than before", () => {
  const casts = files.flatMap((path) => {
    const code = bareCode(readFileSync(join(root, "src", path), "utf8"));
    return [...code.matchAll(/\bas (?!const\b)/g)].map(() => moduleOf(path));
  });
  assert.ok(casts.length > 0, "some are found");
  checkAtMost(countBy(casts), maxCasts, "a cast");
});

Deno.test("no module has more non-null assertions than before", () => {
  const words = ["lint", "--json", "--rules-tags=", "--rules-include=no-non-null-assertion", "src"];
  const { stdout } = spawnSync(Deno.execPath(), words, { cwd: root, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string }[];
  };
  const found = diagnostics.filter(({ code }) => code === "no-non-null-assertion");
  assert.ok(found.length > 0, "some are found");
  const paths = found.map(({ filename }) => filename.replace(/^.*?\/src\//, ""));
  checkAtMost(countBy(paths.map(moduleOf)), maxAssertions, "a non-null assertion");
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/program.ts";

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path) && !path.startsWith("std/"))
  .map((path) => readFileSync(join(root, "src", path), "utf8"));

/**
 * The names in all `import|export { a, type B } from "..."` of `text` whose module `from` accepts.
 */
function namesIn(text: string, from: RegExp): string[] {
  return [...text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from "([^"]+)";/gm)]
    .filter(([, , module = ""]) => from.test(module))
    .flatMap(([, names = ""]) => names.split(",").map((name) => name.trim().replace(/^type /, "")))
    .filter((name) => name !== "");
}

for (const name of ["tar", "crypto"]) {
  Deno.test(`the stand-in for @std/${name} exports exactly what src imports`, () => {
    const module = readFileSync(join(root, "src/std", name, "mod.ts"), "utf8");
    const imported = sources.flatMap((text) => namesIn(text, new RegExp(`^@std/${name}$`)));
    assert.ok(imported.length > 0);
    assert.deepEqual(new Set(namesIn(module, /^\.\//)), new Set(imported));
  });
}

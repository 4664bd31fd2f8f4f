/** A test runs only if its needs are met, and its name lists what is absent. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requiring } from "./needs.ts";

const tests = fileURLToPath(new URL("..", import.meta.url));

Deno.test("a test runs if its tool is installed, else it is ignored and its name lists the tool", () => {
  assert.deepEqual(pick(requiring(["sh"], "a test", () => {})), ["a test", false]);
  const absent = requiring({ others: { "a moon": false, root: true } }, "a test", () => {});
  assert.deepEqual(pick(absent), ["a test (needs a moon)", true]);
  assert.throws(() => absent.fn({} as Deno.TestContext), /a moon is not there/);
});

function pick({ name, ignore }: Deno.TestDefinition) {
  return [name, ignore];
}

Deno.test("every definition that requires something is given to Deno.test", () => {
  const files = readdirSync(tests, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_test.ts") && !name.startsWith("support/"));
  const uses = files.flatMap((name) => {
    const text = readFileSync(join(tests, name), "utf8");
    return [...text.matchAll(/([\w.]*\(?)\s*\brequiring\(/g)].map(([, before]) => ({
      name,
      before,
    }));
  });
  assert.ok(uses.length > 100, "they are found");
  assert.deepEqual(uses.filter(({ before }) => before !== "Deno.test("), []);
});

/** The commands page is generated from the declarations. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commandsPage } from "../../src/build/commands_page.ts";
import { loadSubjects } from "../../src/cli/commands.ts";
import { root } from "../support/program.ts";

Deno.test("src/docs/commands.md matches the page generated from the declarations", async () => {
  const file = join(root, "src/docs/commands.md");
  const page = commandsPage(await loadSubjects());
  assert.equal(readFileSync(file, "utf8"), page, "run: deno task docs");
});

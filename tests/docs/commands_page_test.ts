/** The page of commands is what the declarations say. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandsPage } from "../../src/build/commands_page.ts";
import { loadSubjects } from "../../src/cli/commands.ts";
import { root } from "../support/program.ts";

/** `STELLA_UPDATE_COMMANDS=1 deno test -A tests/docs/commands_page_test.ts` writes it. */
Deno.test("src/docs/commands.md is the page that follows from the declarations", async () => {
  const file = join(root, "src/docs/commands.md");
  const page = commandsPage(await loadSubjects());
  if (Deno.env.get("STELLA_UPDATE_COMMANDS") === "1") writeFileSync(file, page);
  assert.equal(readFileSync(file, "utf8"), page);
});

/** `stella docs`: prints the embedded manual as plain text. */
import { pageNamed, pages } from "../docs/pages.ts";
import { plainText } from "../docs/plain_text.ts";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { Result } from "./command.ts";

export function showPage(name: string | undefined): Result {
  if (name === undefined) return listPages();
  const page = pageNamed(name);
  if (page !== undefined) return { json: { page }, text: plainText(page.text) };
  throw new StellaError("not_found", `Cannot show the page ${shown(name)}: no such page`, {
    hint: "run: stella docs",
  });
}

function listPages(): Result {
  const list = pages.filter(({ name }) => name !== "index");
  const width = Math.max(...list.map(({ name }) => name.length));
  const lines = list.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}\n`);
  return {
    json: { pages: list.map(({ name, title }) => ({ name, title })) },
    text: `Pages of the manual, shown by stella docs PAGE:\n${lines.join("")}`,
  };
}

/** The manual as plain text, no wider than a terminal. */
import assert from "node:assert/strict";
import { pages } from "../../src/docs/pages.ts";
import { plainText } from "../../src/docs/plain_text.ts";
import { withHome } from "../support/program.ts";

const cases: [string, string, string][] = [
  ["headings", "# A b\n\n## C\n\n### D `e`", "A b\n===\n\nC\n-\n\nD `e`\n"],
  ["paragraphs are filled", "one two\nthree four five", "one two three\nfour five\n"],
  ["emphasis and links lose their markup", "**a** _b_ [c](d.md) a_b_c", "a b c a_b_c\n"],
  ["code is unchanged", "`a_b_c`\n\n```sh\n**x**  y\n```", "`a_b_c`\n\n    **x**  y\n"],
  [
    "list items have a hanging indent",
    "- one two three\n  four\n- five",
    "- one two three\n  four\n- five\n",
  ],
  ["nested list items", "1. a\n   - b c", "1. a\n   - b c\n"],
  ["a small table", "| a | bb |\n| - | - |\n| c | d\\|e |", "a  bb\nc  d|e\n"],
  [
    "a wide table becomes a list",
    "| name | what | why |\n| - | - | - |\n| a | one two three | four |",
    "a\n    what: one\n    two three\n    why: four\n",
  ],
  ["an image is replaced by its alternative text", "![A b](c.svg)", "A b\n"],
];
for (const [what, markdown, text] of cases) {
  Deno.test(`plain text: ${what}`, () => assert.equal(plainText(markdown, 15), text));
}

Deno.test("no line of the manual's text is wider than a terminal, except for code and long words", () => {
  for (const { name, text } of pages) {
    const lines = plainText(text).split("\n");
    const wide = lines.filter((line) => line.length > 80 && !line.startsWith("    "));
    const breakable = wide.filter((line) => line.trim().includes(" ") && !line.includes("`"));
    assert.deepEqual(breakable, [], name);
  }
});

Deno.test("stella docs lists the pages, prints one, and reports an unknown page", () =>
  withHome(async (home) => {
    const { stdout } = await home.succeed(["docs"]);
    for (const { name } of pages) {
      assert.ok(name === "index" || stdout.includes(`  ${name} `), name);
    }
    const page = await home.succeed(["docs", "sticks"]);
    assert.match(page.stdout, /^Sticks\n======\n/);
    const json = await home.json(["docs", "format"]);
    assert.deepEqual([json.ok, json.page.title], [true, "Bundle format"]);
    const unknown = await home.stella(["docs", "nothing"]);
    assert.equal(unknown.code, 16);
    assert.match(unknown.stderr, /Cannot show the page "nothing": no such page/);
  }));

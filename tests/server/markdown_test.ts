import assert from "node:assert/strict";
import { renderMarkdown } from "../../src/server/markdown.ts";

const cases: [string, string, string][] = [
  ["headings get an address", "## Key metrics", '<h2 id="key-metrics">Key metrics</h2>'],
  ["lines of a paragraph are one", "one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"],
  [
    "strong and emphasis",
    "**Means:** _not yet_ a_b_c",
    "<p><strong>Means:</strong> <em>not yet</em> a_b_c</p>",
  ],
  ["code spans hold no marks", "`**a** <b>`", "<p><code>**a** &lt;b&gt;</code></p>"],
  ["a fence keeps its text", "```sh\n# x\n| y\n```", "<pre><code># x\n| y\n</code></pre>"],
  ["a fence without end ends with the text", "```\na", "<pre><code>a\n</code></pre>"],
  [
    "a list holds blocks, and the next item follows",
    "1. a\n   b\n\n   ```sh\n   c\n     d\n   ```\n2. e",
    "<ol>\n<li>a\nb\n<pre><code>c\n  d\n</code></pre></li>\n<li>e</li>\n</ol>",
  ],
  ["a bullet list", "- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"],
  ["a list ends a paragraph", "a\n- b", "<p>a</p>\n<ul>\n<li>b</li>\n</ul>"],
  [
    "a table",
    "| a | b |\n| - | - |\n| `x\\|y` | z |",
    '<div class="wide"><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n' +
    "<tr><td><code>x|y</code></td><td>z</td></tr>\n</tbody></table></div>",
  ],
];
for (const [what, text, html] of cases) {
  Deno.test(`markdown: ${what}`, () => assert.equal(renderMarkdown(text), html));
}

Deno.test("no text becomes HTML, wherever it stands", () => {
  const evil = `<img src=x onerror="a()">&`;
  const places = [evil, `# ${evil}`, `- ${evil}`, `| ${evil} |\n|-|\n| ${evil} |`, `\`${evil}\``];
  for (const place of [...places, "```\n" + evil + "\n```", `**${evil}** _${evil}_`]) {
    const html = renderMarkdown(place);
    assert.ok(!html.includes("<img") && html.includes("&lt;img"), html);
    assert.doesNotMatch(html, /onerror="/);
  }
});

Deno.test("a name with a page of its own becomes a link, in text and in code", () => {
  const link = (name: string) => name === "ExportCenterDown" ? `/runbook/${name}` : undefined;
  assert.equal(
    renderMarkdown("see ExportCenterDown, `ExportCenterDown`, ExportCenterUp", link),
    '<p>see <a href="/runbook/ExportCenterDown">ExportCenterDown</a>, ' +
      '<a href="/runbook/ExportCenterDown"><code>ExportCenterDown</code></a>, ExportCenterUp</p>',
  );
});

Deno.test("any text comes to an end, whatever it is made of", () => {
  const parts = ["# ", "- ", "1. ", "| a |", "```", "\n", "  ", "`", "**", "x", "|", "\t", "_"];
  let seed = 7;
  const next = () => (seed = (seed * 48_271) % 2_147_483_647) % parts.length;
  for (let n = 0; n < 500; n++) {
    renderMarkdown(Array.from({ length: 30 }, () => parts[next()]).join(""));
  }
});

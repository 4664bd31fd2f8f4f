import assert from "node:assert/strict";
import { renderMarkdown } from "../../src/http/markdown.ts";

const cases: [string, string, string][] = [
  ["a heading has an anchor", "## Key metrics", '<h2 id="key-metrics">Key metrics</h2>'],
  ["marks in a code span are text", "`**a** <b>`", "<p><code>**a** &lt;b&gt;</code></p>"],
  [
    "a table scrolls in a frame of its own",
    "| a |\n| - |\n| `x\\|y` |",
    '<div class="wide"><table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody><tr>\n' +
    "<td><code>x|y</code></td>\n</tr>\n</tbody></table>\n</div>",
  ],
  ["HTML is shown as text", "a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>"],
  ["a block of HTML is shown as text", "<p onclick=x>", "&lt;p onclick=x&gt;"],
  ["an image is its text", "![a & b](http://c/d.png)", "<p>a &amp; b</p>"],
  ["a link keeps its address", "[a](/docs/b)", '<p><a href="/docs/b">a</a></p>'],
  ["a link to a script is its text", "[a](javascript:b)", "<p>a</p>"],
  ["a link to data is its text", "[a](data:text/html,b)", "<p>a</p>"],
];
for (const [what, text, html] of cases) {
  Deno.test(`markdown: ${what}`, () => assert.equal(renderMarkdown(text).trim(), html));
}

Deno.test("text is escaped everywhere in a page", () => {
  const evil = `<img src=x onerror="a()">&`;
  const places = [evil, `# ${evil}`, `- ${evil}`, `| ${evil} |\n|-|\n| ${evil} |`, `\`${evil}\``];
  for (const place of [...places, "```\n" + evil + "\n```", `**${evil}** _${evil}_`]) {
    const html = renderMarkdown(place);
    assert.ok(!html.includes("<img") && html.includes("&lt;img"), html);
    assert.doesNotMatch(html, /onerror="/);
  }
});

Deno.test("a name with a page of its own becomes a link, in text and in code", () => {
  const pageOf = (name: string) => name === "ExportCenterDown" ? `/runbook/${name}` : undefined;
  assert.equal(
    renderMarkdown("see ExportCenterDown, `ExportCenterDown`, ExportCenterUp", { pageOf }),
    '<p>see <a href="/runbook/ExportCenterDown">ExportCenterDown</a>, ' +
      '<a href="/runbook/ExportCenterDown"><code>ExportCenterDown</code></a>, ExportCenterUp</p>\n',
  );
});

Deno.test("links and pictures are rewritten only to the given addresses", () => {
  const addresses = {
    addressOf: (href: string) => href === "a.md" ? "/docs/a" : undefined,
    pictureOf: (href: string) => href === "p.svg" ? "/docs/p.svg" : undefined,
  };
  assert.equal(
    renderMarkdown('[a](a.md) [b](b.md) ![x "y"](p.svg) ![z](q.svg)', addresses),
    '<p><a href="/docs/a">a</a> b <img src="/docs/p.svg" alt="x &quot;y&quot;"> z</p>\n',
  );
});

/** A text page for browsers: no script, and only its own style and pictures of this service. */
import { createHash } from "node:crypto";
import { escapeHtml, headingsOf } from "./markdown.ts";
import style from "./page.css" with { type: "text" };

const policy = `default-src 'none'; style-src 'sha256-${
  createHash("sha256").update(style).digest("base64")
}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export const htmlHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": policy,
};

/** @param content HTML made from trusted or escaped text */
export function htmlPage(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - stella</title>
<style>${style}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`;
}

/** The second and third level headings of a Markdown text as a list of links. */
export function contentsOf(text: string): string {
  const headings = headingsOf(text).filter((one) => one.level > 1 && one.level < 4);
  const items = headings.map((one) =>
    `<li class="level${one.level}"><a href="#${escapeHtml(one.id)}">${
      escapeHtml(one.text)
    }</a></li>`
  );
  return `<nav><ul>\n${items.join("\n")}\n</ul></nav>\n`;
}

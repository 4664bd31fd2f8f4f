/**
 * The runbook in a browser: `/runbook` is the whole page, `/runbook/<Alert>` the section to which an alert's link leads. It
 * comes out of the binary, so that it is there when nothing else is. No script, no image, no foreign address: the only thing
 * that its Content-Security-Policy lets through is its own style, by its digest.
 */
import { createHash } from "node:crypto";
import runbook from "../../dashboards/observability.md" with { type: "text" };
import type { App } from "./deps.ts";
import { escapeHtml, headingsOf, renderMarkdown } from "./markdown.ts";
import { problem } from "./problem.ts";
import style from "./runbook.css" with { type: "text" };

export interface AlertPage {
  alert: string;
  /** Markdown, its heading included. */
  text: string;
}

/** The sections below "Alert hints", by the name of their alert. */
export function alertPages(text: string): AlertPage[] {
  const hints = text.split(/^(?=## )/m).find((part) => part.startsWith("## Alert hints\n")) ?? "";
  return hints.split(/^(?=### )/m).slice(1).map((section) => ({
    alert: headingsOf(section)[0]?.text ?? "",
    text: section,
  }));
}

const policy = `default-src 'none'; style-src 'sha256-${
  createHash("sha256").update(style).digest("base64")
}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": policy };

export function addRunbook(app: App): void {
  const pages = alertPages(runbook);
  const names = new Set(pages.map((page) => page.alert));
  const link = (name: string) => names.has(name) ? `/runbook/${name}` : undefined;
  // Rendered when first asked for: most services never are.
  let whole: string | undefined;
  app.get("/runbook", (c) => {
    whole ??= page(
      "Export Center observability",
      contents(runbook) + renderMarkdown(runbook, link),
    );
    return c.body(whole, 200, headers);
  });
  app.get("/runbook/:alert", (c) => {
    const found = pages.find((one) => one.alert === c.req.param("alert"));
    if (found === undefined) return problem(c, { status: 404, detail: "There is no such alert" });
    return c.body(page(found.alert, alertBody(found, link)), 200, headers);
  });
}

function alertBody({ alert, text }: AlertPage, link: (name: string) => string | undefined): string {
  const own = text.replace(/^### /, "# ");
  // A link to the page that one is on would only confuse.
  const others = (name: string) => name === alert ? undefined : link(name);
  return `<nav><a href="/runbook#${
    escapeHtml(alert.toLowerCase())
  }">The whole runbook</a></nav>\n` +
    renderMarkdown(own, others);
}

/** The headings of the second and third level, as a list of links. */
function contents(text: string): string {
  const headings = headingsOf(text).filter((one) => one.level > 1 && one.level < 4);
  const items = headings.map((one) =>
    `<li class="level${one.level}"><a href="#${escapeHtml(one.id)}">${
      escapeHtml(one.text)
    }</a></li>`
  );
  return `<nav><ul>\n${items.join("\n")}\n</ul></nav>\n`;
}

function page(title: string, content: string): string {
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

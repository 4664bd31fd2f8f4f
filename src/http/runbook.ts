/**
 * The runbook for browsers, embedded in the binary to be there when nothing else is: `/runbook`,
 * and `/runbook/<Alert>`, the section that an alert links to.
 */
import runbook from "../../dashboards/observability.md" with { type: "text" };
import type { App } from "./deps.ts";
import { contentsOf, htmlHeaders, htmlPage } from "./html_page.ts";
import { escapeHtml, headingsOf, renderMarkdown } from "./markdown.ts";
import { problem } from "./problem.ts";

/** The sections below "Alert hints" by alert name: Markdown with its heading. */
function alertPages(text: string): Map<string, string> {
  const hints = text.split(/^(?=## )/m).find((part) => part.startsWith("## Alert hints\n")) ?? "";
  const sections = hints.split(/^(?=### )/m).slice(1);
  return new Map(sections.map((section) => [headingsOf(section)[0]?.text ?? "", section]));
}

export function addRunbook(app: App): void {
  const pages = alertPages(runbook);
  const link = (name: string) => pages.has(name) ? `/runbook/${name}` : undefined;
  // Rendered on first use: most services never need it.
  let whole: string | undefined;
  app.get("/runbook", (c) => {
    const body = () => contentsOf(runbook) + renderMarkdown(runbook, { pageOf: link });
    return c.body(whole ??= htmlPage("Export Center observability", body()), 200, htmlHeaders);
  });
  app.get("/runbook/:alert", (c) => {
    const alert = c.req.param("alert");
    const section = pages.get(alert);
    if (section === undefined) return problem(c, "not_found", "No such alert");
    // A link to the current page would only confuse.
    const pageOf = (name: string) => name === alert ? undefined : link(name);
    const body = renderMarkdown(section.replace(/^### /, "# "), { pageOf });
    const address = `/runbook#${escapeHtml(alert.toLowerCase())}`;
    const nav = `<nav><a href="${address}">The whole runbook</a></nav>\n`;
    return c.body(htmlPage(alert, nav + body), 200, htmlHeaders);
  });
}

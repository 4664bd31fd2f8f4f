/**
 * The runbook for browsers: `/runbook` is the whole page, `/runbook/<Alert>` the section that an
 * alert links to. It is embedded in the binary, so it is available when nothing else is.
 */
import runbook from "../../dashboards/observability.md" with { type: "text" };
import type { App } from "./deps.ts";
import { contentsOf, htmlHeaders, htmlPage } from "./html_page.ts";
import { escapeHtml, headingsOf, renderMarkdown } from "./markdown.ts";
import { problem } from "./problem.ts";

export interface AlertPage {
  alert: string;
  /** Markdown including its heading. */
  text: string;
}

/** The sections below "Alert hints" by alert name. */
function alertPages(text: string): AlertPage[] {
  const hints = text.split(/^(?=## )/m).find((part) => part.startsWith("## Alert hints\n")) ?? "";
  return hints.split(/^(?=### )/m).slice(1).map((section) => ({
    alert: headingsOf(section)[0]?.text ?? "",
    text: section,
  }));
}

export function addRunbook(app: App): void {
  const pages = alertPages(runbook);
  const names = new Set(pages.map((page) => page.alert));
  const link = (name: string) => names.has(name) ? `/runbook/${name}` : undefined;
  // Rendered on first use: most services never need it.
  let whole: string | undefined;
  app.get("/runbook", (c) => {
    whole ??= htmlPage(
      "Export Center observability",
      contentsOf(runbook) + renderMarkdown(runbook, { pageOf: link }),
    );
    return c.body(whole, 200, htmlHeaders);
  });
  app.get("/runbook/:alert", (c) => {
    const found = pages.find((one) => one.alert === c.req.param("alert"));
    if (found === undefined) {
      return problem(c, "not_found", "No such alert");
    }
    return c.body(htmlPage(found.alert, alertBody(found, link)), 200, htmlHeaders);
  });
}

function alertBody({ alert, text }: AlertPage, link: (name: string) => string | undefined): string {
  const own = text.replace(/^### /, "# ");
  // A link to the current page would only confuse.
  const others = (name: string) => name === alert ? undefined : link(name);
  return `<nav><a href="/runbook#${
    escapeHtml(alert.toLowerCase())
  }">The whole runbook</a></nav>\n` +
    renderMarkdown(own, { pageOf: others });
}

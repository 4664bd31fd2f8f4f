/** The manual for browsers, embedded in the binary: `/docs`, and its pages `/docs/<page>`. */
import { type Page, pageNamed, pages, pictures } from "../docs/pages.ts";
import type { App } from "./deps.ts";
import { contentsOf, htmlHeaders, htmlPage } from "./html_page.ts";
import { escapeHtml, renderMarkdown } from "./markdown.ts";
import { problem } from "./problem.ts";

/** A picture may have its own style and nothing else. */
const pictureHeaders = {
  "content-type": "image/svg+xml",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
};

export function addManual(app: App): void {
  app.get("/docs", (c) => c.body(rendered(pageNamed("index")!), 200, htmlHeaders));
  app.get("/docs/:page", (c) => {
    const name = c.req.param("page");
    const picture = pictures.get(name);
    if (picture !== undefined) return c.body(picture, 200, pictureHeaders);
    const page = pageNamed(name);
    if (page !== undefined) return c.body(rendered(page), 200, htmlHeaders);
    const hint = "the pages are listed at /docs";
    return problem(c, "not_found", "No such page in the manual", { hint });
  });
}

/** By name; rendered on first use. */
const cache = new Map<string, string>();

function rendered(page: Page): string {
  const known = cache.get(page.name);
  if (known !== undefined) return known;
  const body = renderMarkdown(page.text, { addressOf, pictureOf });
  const html = htmlPage(page.title, navigation(page) + body);
  cache.set(page.name, html);
  return html;
}

/** All pages of the manual, then the headings of a long page. */
function navigation(page: Page): string {
  const links = pages.map(({ name, title }) =>
    name === page.name
      ? `<strong>${escapeHtml(title)}</strong>`
      : `<a href="/docs/${name}">${escapeHtml(title)}</a>`
  );
  const list = `<nav class="pages">${links.join(" · ")}</nav>\n`;
  return page.name === "index" ? list : list + contentsOf(page.text);
}

/** The address for a link of a page; undefined if the service does not have the file. */
function addressOf(href: string): string | undefined {
  const [, path = "", fragment = ""] = /^([^#]*)(#.*)?$/.exec(href) ?? [];
  if (path === "" || /^https?:/.test(path)) return href;
  if (path.endsWith("dashboards/observability.md")) return `/runbook${fragment}`;
  const page = /^([\w-]+)\.md$/.exec(path)?.[1];
  return page !== undefined && pageNamed(page) !== undefined
    ? `/docs/${page}${fragment}`
    : undefined;
}

function pictureOf(href: string): string | undefined {
  return pictures.has(href) ? `/docs/${href}` : undefined;
}

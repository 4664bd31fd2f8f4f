/**
 * Renders Markdown to HTML for the embedded pages by `marked`, with anchors for headings and links
 * for names with a page of their own. The text can add no HTML, image or script.
 */
import { lexer, Marked, Renderer, type Tokens } from "marked";

/** Where names, links and pictures of a text lead; undefined: plain text. */
export interface Addresses {
  /** The page of a name such as `ExportCenterDown`, in text or in a code span. */
  pageOf?(name: string): string | undefined;
  /** The address of a link as written in the text. */
  addressOf?(href: string): string | undefined;
  pictureOf?(href: string): string | undefined;
}

export function renderMarkdown(text: string, addresses: Addresses = {}): string {
  return new Marked().parse(text, { async: false, renderer: new PageRenderer(addresses) });
}

export function headingsOf(text: string): { level: number; text: string; id: string }[] {
  const isHeading = (token: { type: string }): token is Tokens.Heading => token.type === "heading";
  return lexer(text).filter(isHeading)
    .map((one) => ({ level: one.depth, text: one.text, id: headingId(one.text) }));
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

/** The anchor of a heading, the same as GitHub's. */
function headingId(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

class PageRenderer extends Renderer {
  constructor(private readonly addresses: Addresses) {
    super();
  }

  override heading(token: Tokens.Heading): string {
    const content = this.parser.parseInline(token.tokens);
    return `<h${token.depth} id="${headingId(token.text)}">${content}</h${token.depth}>\n`;
  }

  /** In its own frame, which scrolls if the page is narrower than the table. */
  override table(token: Tokens.Table): string {
    return `<div class="wide">${super.table(token)}</div>\n`;
  }

  override codespan({ text }: Tokens.Codespan): string {
    return this.linked(text, `<code>${escapeHtml(text)}</code>`);
  }

  override text(token: Tokens.Text | Tokens.Escape): string {
    if ("tokens" in token && token.tokens !== undefined) {
      return this.parser.parseInline(token.tokens);
    }
    return escapeHtml(token.text)
      .replace(/\b[A-Z][A-Za-z0-9]{5,}\b/g, (word) => this.linked(word, word));
  }

  /** Only addresses that are safe on an offline page; `javascript:` is not. */
  override link(token: Tokens.Link): string {
    const { addressOf } = this.addresses;
    const href = addressOf === undefined ? token.href : addressOf(token.href);
    return href !== undefined && /^(https?:|[#/.]|[\w-]+\.md)/.test(href)
      ? super.link({ ...token, href })
      : this.parser.parseInline(token.tokens);
  }

  override html({ text }: Tokens.HTML | Tokens.Tag): string {
    return escapeHtml(text);
  }

  override image({ text, href }: Tokens.Image): string {
    const picture = this.addresses.pictureOf?.(href);
    const alt = escapeHtml(text);
    return picture === undefined ? alt : `<img src="${escapeHtml(picture)}" alt="${alt}">`;
  }

  private linked(name: string, html: string): string {
    const target = this.addresses.pageOf?.(name);
    return target === undefined ? html : `<a href="${escapeHtml(target)}">${html}</a>`;
  }
}

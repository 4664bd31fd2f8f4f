/**
 * As much of CommonMark as the runbook is written in: headings, paragraphs, lists with blocks in them, tables, code, and
 * the marks inside a line. Every character of the text is escaped and no HTML passes, so that a runbook which somebody
 * edited can at worst look odd.
 */

export interface Heading {
  level: number;
  text: string;
  /** For the address bar: the text in lowercase with `-` between words. */
  id: string;
}

/** HTML of the blocks of `text`. `link` gives the address for a code span that names something with a page of its own. */
export function renderMarkdown(
  text: string,
  link: (code: string) => string | undefined = () => undefined,
): string {
  return blocks(text.split("\n"), link).join("\n");
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

export function headingOf(line: string): Heading | undefined {
  const [, marks, text] = /^(#{1,6}) (.+)$/.exec(line) ?? [];
  if (marks === undefined || text === undefined) return undefined;
  const id = text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return { level: marks.length, text, id };
}

type Link = (code: string) => string | undefined;

const itemPattern = /^(?:(\d+)\.|[-*]) +/;

type Taken = [html: string, lines: number];
type Take = (lines: string[], link: Link) => Taken;

/** What a line begins; all else is a paragraph. */
const beginnings: readonly [RegExp, Take][] = [
  [/^\s*$/, skip],
  [/^#{1,6} /, takeHeading],
  [/^```/, takeCode],
  [/^\|/, takeTable],
  [itemPattern, takeList],
];

/** Takes lines from the front, one block after the other. */
function blocks(lines: string[], link: Link): string[] {
  const made: string[] = [];
  for (let rest = lines; rest.length > 0;) {
    const take = beginnings.find(([pattern]) => pattern.test(rest[0] ?? ""))?.[1] ?? takeParagraph;
    const [html, count] = take(rest, link);
    if (html !== "") made.push(html);
    rest = rest.slice(count);
  }
  return made;
}

function skip(): Taken {
  return ["", 1];
}

function takeHeading(lines: string[], link: Link): Taken {
  const { level, text, id } = headingOf(lines[0] ?? "") ?? { level: 6, text: "", id: "" };
  return [`<h${level} id="${escapeHtml(id)}">${inline(text, link)}</h${level}>`, 1];
}

function takeCode(lines: string[]): Taken {
  const end = lines.findIndex((line, at) => at > 0 && line.startsWith("```"));
  const last = end < 0 ? lines.length : end;
  const code = lines.slice(1, last).map((line) => `${line}\n`).join("");
  return [`<pre><code>${escapeHtml(code)}</code></pre>`, last + 1];
}

function takeTable(lines: string[], link: Link): Taken {
  const count = countWhile(lines, (line) => line.startsWith("|"));
  const rows = lines.slice(0, count).map(cellsOf);
  const cells = (row: string[], tag: string) =>
    row.map((cell) => `<${tag}>${inline(cell, link)}</${tag}>`).join("");
  const body = rows.slice(2).map((row) => `<tr>${cells(row, "td")}</tr>`).join("\n");
  const head = `<thead><tr>${cells(rows[0] ?? [], "th")}</tr></thead>`;
  return [`<div class="wide"><table>${head}<tbody>\n${body}\n</tbody></table></div>`, count];
}

/** A `|` inside a code span is written `\|`. */
function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Items, each with what is indented below it; an empty line may stand in between. */
function takeList(lines: string[], link: Link): Taken {
  const isOrdered = /^\d/.test(lines[0] ?? "");
  const items: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const mark = itemPattern.exec(lines[at] ?? "");
    if (mark === null || (mark[1] !== undefined) !== isOrdered) break;
    const indent = mark[0].length;
    const inside = countWhile(
      lines.slice(at + 1),
      (line) => line.trim() === "" || line.startsWith(" ".repeat(indent)),
    );
    const own = [
      (lines[at] ?? "").slice(indent),
      ...lines.slice(at + 1, at + 1 + inside).map(dedent(indent)),
    ];
    items.push(`<li>${tight(blocks(own, link))}</li>`);
    at += 1 + inside;
  }
  const tag = isOrdered ? "ol" : "ul";
  return [`<${tag}>\n${items.join("\n")}\n</${tag}>`, at];
}

function dedent(indent: number): (line: string) => string {
  const leading = new RegExp(`^ {0,${indent}}`);
  return (line) => line.replace(leading, "");
}

/** An item of one paragraph is shown without the space around it. */
function tight(made: string[]): string {
  return made.join("\n").replace(/^<p>([^]*?)<\/p>/, "$1");
}

function takeParagraph(lines: string[], link: Link): Taken {
  const count = countWhile(lines, (line, at) => at === 0 || !beginsBlock(line));
  return [`<p>${inline(lines.slice(0, count).join("\n"), link)}</p>`, count];
}

function beginsBlock(line: string): boolean {
  return beginnings.some(([pattern]) => pattern.test(line));
}

function countWhile(lines: string[], good: (line: string, at: number) => boolean): number {
  const end = lines.findIndex((line, at) => !good(line, at));
  return end < 0 ? lines.length : end;
}

/** Code spans first, since nothing in them is a mark; then strong, then emphasis. */
function inline(text: string, link: Link): string {
  return text.split(/(`[^`]+`)/).map((part) => {
    if (!/^`[^`]+`$/.test(part)) return marked(part, link);
    return linked(part.slice(1, -1), `<code>${escapeHtml(part.slice(1, -1))}</code>`, link);
  }).join("");
}

function marked(text: string, link: Link): string {
  return escapeHtml(text)
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>")
    .replace(/(?<![\w_])_([^_]+)_(?![\w_])/g, "<em>$1</em>")
    .replace(/\b[A-Z][A-Za-z0-9]{5,}\b/g, (word) => linked(word, word, link));
}

function linked(name: string, html: string, link: Link): string {
  const target = link(name);
  return target === undefined ? html : `<a href="${escapeHtml(target)}">${html}</a>`;
}

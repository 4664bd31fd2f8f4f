/**
 * A page of the manual for a terminal: plain text of at most `width` columns, except for blocks of
 * code, which stay as they are. It knows the Markdown that the pages use: headings, paragraphs,
 * lists, tables and blocks of code.
 */

const fence = /^( *)```/;
const item = /^( *)([-*]|\d+\.) +(.*)$/;
const codeIndent = "    ";

export function plainText(markdown: string, width = 80): string {
  const lines = markdown.split("\n");
  let text = "";
  let wasItem = false;
  for (let at = 0; at < lines.length;) {
    const end = endOfBlock(lines, at);
    const block = blockText(lines.slice(at, end), width);
    const isItem = item.test(lines[at] ?? "");
    if (block !== "") {
      text += `${text === "" ? "" : isItem && wasItem ? "\n" : "\n\n"}${block}`;
      wasItem = isItem;
    }
    at = end;
  }
  return `${text}\n`;
}

/** The line after the block that begins at `at`. */
function endOfBlock(lines: readonly string[], at: number): number {
  const first = lines[at] ?? "";
  const opened = fence.exec(first);
  if (opened !== null) {
    const close = lines.indexOf(`${opened[1]}\`\`\``, at + 1);
    return close < 0 ? lines.length : close + 1;
  }
  if (first === "" || first.startsWith("#")) return at + 1;
  let end = at + 1;
  while (end < lines.length && continues(first, lines[end] ?? "")) end++;
  return end;
}

function continues(first: string, line: string): boolean {
  if (line === "" || line.startsWith("#") || fence.test(line)) return false;
  return first.startsWith("|") ? line.startsWith("|") : !item.test(line);
}

function blockText(lines: readonly string[], width: number): string {
  const first = lines[0] ?? "";
  if (fence.test(first)) return lines.slice(1, -1).map((line) => codeIndent + line).join("\n");
  if (first.startsWith("#")) return headingText(first);
  if (first.startsWith("|")) return tableText(lines.map(cellsOf), width);
  const [, indent = "", mark = "", rest = ""] = item.exec(first) ?? [];
  if (mark === "") return wrapped(lines.join(" "), width, "", "");
  const text = [rest, ...lines.slice(1)].map((line) => line.trim()).join(" ");
  return wrapped(text, width, `${indent}${mark} `, " ".repeat(indent.length + mark.length + 1));
}

function headingText(line: string): string {
  const [, marks = "", text = ""] = /^(#+) (.*)$/.exec(line) ?? [];
  const title = inline(text);
  const under = ["", "=", "-"][marks.length];
  return under === undefined ? title : `${title}\n${under.repeat(title.length)}`;
}

function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map((cell) => inline(cell.trim().replaceAll("\\|", "|")));
}

/** Columns where they fit; else each row as its first cell, with the others below it. */
function tableText([head = [], , ...rows]: string[][], width: number): string {
  const all = head.some((cell) => cell !== "") ? [head, ...rows] : rows;
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  if (widths.reduce((sum, one) => sum + one + 2, -2) <= width) {
    const lines = all.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "));
    return lines.map((line) => line.trimEnd()).join("\n");
  }
  return rows.map(([name = "", ...others]) => {
    const below = others.map((cell, i) => {
      const label = others.length > 1 && head[i + 1] ? `${head[i + 1]}: ` : "";
      return cell === "" ? "" : wrapped(label + cell, width, codeIndent, codeIndent);
    });
    return [wrapped(name, width, "", ""), ...below.filter((line) => line !== "")].join("\n");
  }).join("\n");
}

/** Without the marks of links, pictures and emphasis; code keeps its marks. */
function inline(text: string): string {
  return text.split(/(`[^`]*`)/).map((part) =>
    part.startsWith("`") ? part : part.replace(/!\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/\[([^\]]*)\]\((https?:[^)]*)\)/g, "$1 <$2>")
      .replace(/\*\*([^*]*)\*\*/g, "$1")
      .replace(/(?<!\w)_([^_]*)_(?!\w)/g, "$1")
  ).join("").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}

function wrapped(text: string, width: number, first: string, others: string): string {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of inline(text).split(/ +/)) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = others;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join("\n");
}

/** The pages of the manual as the tests read them: text, headings and blocks of code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/program.ts";

export const manual = join(root, "src/docs");

/** Names of all pages, without `.md`. */
export function pageNames(): string[] {
  const names = readdirSync(manual).filter((name) => name.endsWith(".md"));
  return names.map((name) => name.slice(0, -".md".length)).sort();
}

export function pageText(name: string): string {
  return readFileSync(join(manual, `${name}.md`), "utf8");
}

export interface Block {
  /** What follows the opening fence, such as `sh`. */
  language: string;
  text: string;
  /** The nearest heading above. */
  heading: string;
}

/** The blocks of code of a Markdown text, in order; indentation of the fence is taken off. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let open: { indent: string; language: string; lines: string[] } | undefined;
  for (const line of markdown.split("\n")) {
    const fence = /^( *)```(.*)$/.exec(line);
    if (open === undefined) {
      heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
      if (fence !== null) open = { indent: fence[1]!, language: fence[2]!, lines: [] };
    } else if (fence !== null && fence[1] === open.indent) {
      blocks.push({ language: open.language, text: open.lines.join("\n") + "\n", heading });
      open = undefined;
    } else open.lines.push(line.slice(open.indent.length));
  }
  return blocks;
}

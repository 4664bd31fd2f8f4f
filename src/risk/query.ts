/** One id searched in joined.ndjson while its bytes come by, without keeping more than a line. */
import { isId } from "./schema.ts";
import { StellaError } from "../errors.ts";

/** As `joinFacts` writes it. */
export interface JoinedLine {
  id: string;
  aliases: string[];
  kev: Record<string, unknown> | null;
  epss: Record<string, unknown> | null;
  affected: Record<string, unknown>[];
  vex: Record<string, unknown>[];
  sources: { provider: string; record: string }[];
}

/** More than any line has; what is longer is not ours. */
const longestLine = 64 * 1024 * 1024;

export class LineSearch {
  readonly #id: string;
  readonly #needle: string;
  readonly #decoder = new TextDecoder();
  readonly #found: JoinedLine[] = [];
  #rest = "";

  /** `id` is a CVE, or another id of the same thing. @throws StellaError usage for what is no id */
  constructor(id: string) {
    if (!isId(id as unknown)) {
      throw new StellaError(
        "usage",
        `Cannot ask for ${JSON.stringify(id.slice(0, 80))}: it is no id`,
        {
          hint: "for example: stella risk query CVE-2021-44228 --manifest out/manifest.json",
        },
      );
    }
    this.#id = id;
    this.#needle = JSON.stringify(id);
  }

  push(piece: Uint8Array): void {
    const text = this.#rest + this.#decoder.decode(piece, { stream: true });
    const end = text.lastIndexOf("\n");
    this.#rest = text.slice(end + 1);
    if (this.#rest.length > longestLine) throw new StellaError("manifest", "A line is too long");
    // Most pieces do not hold the id at all, which one search over them tells.
    if (!text.includes(this.#needle)) return;
    for (const line of text.slice(0, end + 1).split("\n")) this.#look(line);
  }

  /** All lines that have the id as theirs or as an alias, in order. */
  end(): JoinedLine[] {
    this.#look(this.#rest);
    return this.#found;
  }

  #look(line: string): void {
    if (!line.includes(this.#needle)) return;
    const value = JSON.parse(line) as JoinedLine;
    if (value.id === this.#id || value.aliases.includes(this.#id)) this.#found.push(value);
  }
}

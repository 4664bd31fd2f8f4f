/**
 * Keeps the newest version of each advisory, whichever file it is in: in a sorted spool of all
 * facts the versions of an advisory are adjacent, newest first.
 */
import { startSha256 } from "../domain/hash.ts";
import type { Advisory, Fact, Version } from "./provider.ts";
import { Spool } from "./spool.ts";
import type { Tally } from "./tally.ts";

export class Versions {
  readonly #spool: Spool;

  constructor(scratch: string, readonly tallies: readonly Tally[]) {
    this.#spool = new Spool(scratch, "versions");
  }

  add(provider: number, { identity, version, path, facts }: Advisory): void {
    const [first] = facts;
    // Most have one fact; the text of a large document is encoded twice rather than kept.
    const only = facts.length === 1 ? JSON.stringify(first) : undefined;
    const head = [
      String(provider).padStart(3, "0"),
      JSON.stringify(identity),
      newestFirst(version),
      JSON.stringify(path),
      digestOf(only === undefined ? facts.values().map((fact) => JSON.stringify(fact)) : [only]),
    ].join("\t");
    facts.forEach((fact, i) =>
      this.#spool.add([head, String(i).padStart(8, "0"), only ?? JSON.stringify(fact)].join("\t"))
    );
  }

  /** The facts of the newest versions; duplicates are counted. Call once, after all input. */
  *newest(): Generator<{ provider: number; path: string; fact: Fact }> {
    let current: Line | undefined;
    for (const text of this.#spool.sorted()) {
      const line = parse(text);
      const isSame = current?.provider === line.provider && current.identity === line.identity;
      if (current !== undefined && isSame && current.path !== line.path) this.#skip(current, line);
      else if (current === undefined || !isSame || current.version === line.version) {
        current = line;
        const { provider, path, fact } = line;
        yield { provider, path: JSON.parse(path), fact: JSON.parse(fact) };
      }
    }
  }

  #skip(current: Line, line: Line): void {
    const tally = this.tallies[line.provider];
    const { record, ids, piece } = JSON.parse(line.fact) as Fact;
    if (tally === undefined || piece !== undefined) return;
    if (current.version !== line.version) tally.counts.superseded++;
    else if (current.digest === line.digest) tally.counts.duplicates++;
    else tally.conflict({ path: JSON.parse(line.path) }, record, ids);
  }
}

function digestOf(texts: Iterable<string>): string {
  const hash = startSha256();
  for (const text of texts) hash.update(`${text}\n`);
  return hash.digest("hex");
}

type Line = ReturnType<typeof parse>;

/** The parts before the fact contain no tab: JSON escapes it. */
function parse(text: string) {
  const [provider = "", identity = "", version = "", path = "", digest = ""] = text.split("\t", 5);
  const start = [provider, identity, version, path, digest].join("\t").length + 10;
  const fact = text.slice(start);
  return { provider: Number(provider), identity, version, path, digest, fact };
}

/** Sorts newer versions before older ones. */
export function newestFirst({ time, number }: Version): string {
  const milliseconds = Date.parse(time);
  const order = descending(Number.isFinite(milliseconds) ? milliseconds : 0, 1e15);
  if (number === undefined) return order;
  const parts = number.split(/[.+-]/).slice(0, 3).map(Number);
  return [order, ...[0, 1, 2].map((i) => descending(parts[i] || 0, 1e12))].join(" ");
}

function descending(value: number, from: number): string {
  return String(from - Math.min(value, from)).padStart(16, "0");
}

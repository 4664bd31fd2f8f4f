/** Puts each fact of the parsers into the spool under every CVE that it is about. */
import { Aliases } from "./aliases.ts";
import { isCve } from "./ids.ts";
import { encodeFact, type Mark } from "./join.ts";
import type { Advisory, Fact, Link, Row, Sink } from "./provider.ts";
import { Spool } from "./spool.ts";
import type { Tally } from "./tally.ts";
import { newestFirst, Versions } from "./versions.ts";

/** Ids of one record; a kernel update names some hundred. */
const maxIds = 10_000;
/** Limit in characters for one record, written under all its CVEs. */
const maxExpanded = 512 * 1024 * 1024;

/** A small file must not fill the disk: a record is written in full under each of its CVEs. */
function expansionFault({ facts }: Advisory): string | undefined {
  for (const { ids, upstream = [], related = [], value } of facts) {
    const count = ids.length + upstream.length + related.length;
    if (count > maxIds) return `names more than ${maxIds} ids`;
    // A short one cannot exceed the limit.
    if (count > 100 && count * JSON.stringify(value).length > maxExpanded) {
      return `would take more than ${maxExpanded} characters under all its ids`;
    }
  }
  return undefined;
}

export class Facts {
  readonly #aliases = new Aliases();
  readonly #versions: Versions;
  readonly #spool: Spool;
  /** Facts whose CVEs are known only after all input. */
  readonly #open: Spool;
  #count = 0;
  #lastTime: string | undefined;
  #lastOrder = "";

  constructor(scratch: string, readonly tallies: readonly Tally[]) {
    this.#versions = new Versions(scratch, tallies);
    this.#spool = new Spool(scratch, "facts");
    this.#open = new Spool(scratch, "open");
  }

  sinkOf(provider: number): Sink {
    const tally = this.#tally(provider);
    return {
      advisory: (advisory) => {
        const fault = expansionFault(advisory);
        if (fault === undefined) this.#versions.add(provider, advisory);
        else tally.reject({ path: advisory.path }, fault, advisory.facts.flatMap(({ ids }) => ids));
      },
      row: (row) => this.#addRow(provider, row),
      reject: tally.reject.bind(tally),
      rejectId: tally.rejectId.bind(tally),
      recordDate: tally.recordDate.bind(tally),
    };
  }

  /** All facts by `encodeFact`, sorted by key, provider and record; once, after all input. */
  *sorted(): Generator<string> {
    for (const { provider, path, fact } of this.#versions.newest()) this.#add(provider, path, fact);
    for (const line of this.#open.sorted()) {
      const [order, provider, path, fact] = JSON.parse(line) as [string, number, string, Fact];
      this.#put(provider, path, fact, order);
    }
    yield* this.#spool.sorted();
  }

  #addRow(provider: number, { cve, time, value, path, line }: Row): void {
    const { counts } = this.#tally(provider);
    counts.records++;
    counts.links.alias++;
    const order = this.#orderOf(time);
    this.#spool.add(encodeFact({ key: cve, provider, record: cve, order, path, line, value }));
  }

  /** All rows of a file have the same time. */
  #orderOf(time: string | undefined): string {
    if (time === undefined) return "";
    if (time !== this.#lastTime) {
      this.#lastTime = time;
      this.#lastOrder = newestFirst({ time });
    }
    return this.#lastOrder;
  }

  #add(provider: number, path: string, fact: Fact): void {
    const { ids, upstream = [], related = [] } = fact;
    const order = String(this.#count++).padStart(9, "0");
    if (fact.piece === undefined) this.#tally(provider).counts.records++;
    const cves = this.#aliases.note(ids, upstream);
    const isOpen = cves.length === 0 || ![...upstream, ...related].every(isCve);
    if (isOpen) this.#open.add(JSON.stringify([order, provider, path, fact]));
    else this.#put(provider, path, fact, order);
  }

  #put(provider: number, path: string, fact: Fact, order: string): void {
    const { record, value, piece } = fact;
    for (const [key, mark] of this.#marks(fact)) {
      this.#spool.add(encodeFact({ key, provider, record, order, mark, piece, path, value }));
      if (piece === undefined && mark !== "own" && mark !== "covers") {
        this.#tally(provider).counts.links[mark]++;
      }
    }
  }

  /** Keys of the fact, with the reason: a closer relation takes precedence. */
  #marks({ key, ids, upstream = [], related = [] }: Fact): Map<string, Mark> {
    const named = [...new Set(ids.filter(isCve))];
    const cves = named.length > 0 ? named : this.#aliases.resolve(ids);
    const marks = new Map<string, Mark>();
    const put = (keys: readonly string[], mark: Link) =>
      keys.forEach((one) => marks.has(one) || marks.set(one, mark));
    put(cves, cves.length > 1 ? "several" : "alias");
    put(upstream.flatMap((id) => this.#aliases.behind(id)), "upstream");
    put(related.flatMap((id) => this.#aliases.behind(id)), "related");
    if (cves.length === 0) marks.set(key, "own");
    else if (cves.length > 1 && !isCve(key)) marks.set(key, "covers");
    return marks;
  }

  #tally(provider: number): Tally {
    const tally = this.tallies[provider];
    if (tally === undefined) throw new RangeError(`There is no provider ${provider}`);
    return tally;
  }
}

/** Between the parsers and the join: each fact goes into the spool under every CVE that it is about. */
import { Aliases } from "./aliases.ts";
import { encodeFact } from "./join.ts";
import type { Fact, Sink } from "./provider.ts";
import { Spool } from "./spool.ts";
import type { Tally } from "./tally.ts";

export class Facts {
  readonly #aliases = new Aliases();
  readonly #spool: Spool;
  /** Facts that name no CVE: under which one they go is known when all are in. */
  readonly #keyless: Spool;

  constructor(scratch: string, readonly tallies: readonly Tally[]) {
    this.#spool = new Spool(scratch, "facts");
    this.#keyless = new Spool(scratch, "keyless");
  }

  /** Where the parser of the provider at this position puts what it finds. */
  sinkOf(provider: number): Sink {
    const tally = this.tallies[provider]!;
    return {
      fact: (fact) => {
        tally.records++;
        this.#add(provider, fact);
      },
      bad: (path, reason, line) => tally.bad(path, reason, line),
      dated: (date) => tally.dated(date),
    };
  }

  /** All facts as `encodeFact` writes them, sorted by key, provider and record; once, when all are in. */
  *sorted(): Generator<string> {
    for (const line of this.#keyless.sorted()) {
      const [ids, fact] = JSON.parse(line) as [string[], string];
      const keys = this.#aliases.resolve(ids);
      for (const key of keys.length > 0 ? keys : [ids[0]!]) this.#spool.add(keyed(key, fact));
    }
    yield* this.#spool.sorted();
  }

  #add(provider: number, { ids, record, value, path, line }: Fact): void {
    const place = line === undefined ? { path } : { path, line };
    const fact = encodeFact({ key: "", provider, record, value, ...place });
    const cves = this.#aliases.note(ids);
    for (const key of cves) this.#spool.add(keyed(key, fact));
    if (cves.length === 0) this.#keyless.add(JSON.stringify([ids, fact]));
  }
}

/** `join` makes one flat string, where `+` would make a rope that costs twice its text while it waits. */
function keyed(key: string, fact: string): string {
  return [key, fact].join("");
}

/**
 * Advisories that cover several CVEs, by all their ids. A record whose alias is such an advisory
 * may be about any of its CVEs, so it is linked to none, and a query reports them all.
 */
import { isCve, keyOf } from "./ids.ts";

export interface Covering {
  /** The advisory's own id. */
  record: string;
  cves: string[];
}

/** Characters of ids. Databases have some thousand such advisories, of about a hundred each. */
const maxKept = 8 * 1024 * 1024;

export class CoveringAdvisories {
  readonly #byId = new Map<string, Covering[]>();
  #kept = 0;

  /** Records a line of joined.ndjson if it belongs to such an advisory. */
  note(line: string): void {
    // Most lines have none, and parsing all of them would take several times as long.
    if (!line.includes('"covers":[')) return;
    const { id, covers = [] } = JSON.parse(line) as { id: string; covers?: string[] };
    const cves = covers.filter(isCve);
    this.#kept += [id, ...covers].join().length;
    if (cves.length === 0 || this.#kept > maxKept) return;
    for (const name of [id, ...covers.filter((one) => !isCve(one))].map(keyOf)) {
      this.#byId.getOrInsertComputed(name, () => []).push({ record: id, cves });
    }
  }

  /** The advisories with one of the ids, without duplicates. */
  of(ids: readonly string[]): Covering[] {
    const found = ids.flatMap((id) => this.#byId.get(keyOf(id)) ?? []);
    return [...new Map(found.map((one) => [one.record, one])).values()];
  }
}

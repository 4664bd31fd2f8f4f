/**
 * Finds the CVEs of an advisory: its own aliases, or those of an alias (GO-1 names GHSA-1, which
 * names CVE-1). An advisory of several CVEs does not say which of its other ids belongs to which,
 * so it links none. Upstream is another relation: a Debian record about a CVE is no name of it.
 */
import { derivedFrom, isCve, keyOf } from "./ids.ts";

export class Aliases {
  /** CVEs that some advisory with this id or alias names as its only one. */
  readonly #cves = new Map<string, Set<string>>();
  /** Links between ids that are not CVEs, for advisories without one. */
  readonly #links = new Map<string, Set<string>>();
  /** The upstream ids of a record, and the CVEs of one that covers several. */
  readonly #upstream = new Map<string, Set<string>>();

  /** Records the ids of a record, its own first. Returns its CVEs, if it names some. */
  note(ids: readonly string[], upstream: readonly string[] = []): string[] {
    const cves = [...new Set(ids.filter(isCve))];
    const others = ids.filter((id) => !isCve(id)).map(keyOf);
    const [own] = ids;
    if (own !== undefined && !isCve(own)) {
      const behind = cves.length > 1 ? [...upstream, ...cves] : upstream;
      behind.forEach((id) => addTo(this.#upstream, keyOf(own), id));
    }
    if (cves.length > 1) return cves;
    const [first] = others;
    for (const id of others) {
      if (cves.length === 1) cves.forEach((cve) => addTo(this.#cves, id, cve));
      else if (first !== undefined && id !== first) {
        // Through the first one: linking all pairs would be quadratic in the length of a list.
        addTo(this.#links, id, first);
        addTo(this.#links, first, id);
      }
    }
    return cves;
  }

  /** The CVEs of a record without any, through its aliases; sorted, possibly empty. */
  resolve(ids: readonly string[]): string[] {
    const found = new Set<string>();
    const seen = new Set(ids.map(keyOf));
    const waiting = [...seen];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      this.#cves.get(id)?.forEach((cve) => found.add(cve));
      for (const next of this.#links.get(id) ?? []) {
        if (!seen.has(next)) waiting.push(next);
        seen.add(next);
      }
    }
    return [...found].sort();
  }

  /** The CVEs behind an id named as upstream or related, through any number of records. */
  behind(id: string): string[] {
    if (isCve(id)) return [id];
    const found = new Set<string>();
    const seen = new Set([keyOf(id)]);
    const waiting = [id];
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const derived = derivedFrom(one);
      if (derived !== undefined) found.add(derived);
      this.resolve([one]).forEach((cve) => found.add(cve));
      for (const next of this.#upstream.get(keyOf(one)) ?? []) {
        if (isCve(next)) found.add(next);
        else if (!seen.has(keyOf(next))) waiting.push(next);
        seen.add(keyOf(next));
      }
    }
    return [...found];
  }
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  map.getOrInsertComputed(key, () => new Set()).add(value);
}

/**
 * Which CVEs an advisory is about. Its own aliases say so, or else those of an advisory that it is an alias of: GO-1 names GHSA-1,
 * and GHSA-1 names CVE-1. Only ids that are no CVEs are followed, because one advisory may cover two CVEs, and what is true of
 * one is not true of the other.
 */
import { isCve } from "./schema.ts";

export class Aliases {
  /** CVEs that some advisory with this id or alias names. */
  readonly #cves = new Map<string, Set<string>>();
  /** Between ids that are no CVEs, for advisories that name none. */
  readonly #links = new Map<string, Set<string>>();

  /** Takes note of a record with these ids. Returns its CVEs, where it names some. */
  note(ids: readonly string[]): string[] {
    const cves = [...new Set(ids.filter(isCve))];
    const others = ids.filter((id) => !isCve(id));
    for (const id of others) {
      if (cves.length > 0) cves.forEach((cve) => addTo(this.#cves, id, cve));
      else others.forEach((other) => other !== id && addTo(this.#links, id, other));
    }
    return cves;
  }

  /** The CVEs of a record that names none itself, by way of its aliases; sorted, empty where there are none. */
  resolve(ids: readonly string[]): string[] {
    const found = new Set<string>();
    const seen = new Set(ids);
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
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

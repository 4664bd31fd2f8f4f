/** Which stored bundles may go. */
import type { FileStore, StoredBundle } from "./store.ts";

export interface Retention {
  /** So many of the newest stay. */
  keep?: number;
  /** Whatever is younger stays. */
  days?: number;
}

const day = 86_400_000;

/**
 * Of `bundles`, which are one profile's of one tenant in the order in which they were asked for, those that neither rule keeps.
 * The newest always stays: a site whose exports fail for a month must not lose its last good one. `now` in milliseconds.
 */
export function outlived(
  bundles: readonly StoredBundle[],
  { keep, days }: Retention,
  now: number,
): StoredBundle[] {
  const newest = Math.max(1, keep ?? 1);
  const since = days === undefined ? Infinity : now - days * day;
  return bundles.slice(0, -newest).filter(({ exportId }) => askedAt(exportId) < since);
}

/** Removes what outlived the rule of its profile; what was removed. @throws StellaError media */
export function applyRetention(
  store: FileStore,
  rules: ReadonlyMap<string, Retention>,
  now: number,
  filter: { profile?: string } = {},
): StoredBundle[] {
  const groups = new Map<string, StoredBundle[]>();
  for (const bundle of store.list(filter)) {
    const key = `${bundle.tenant}/${bundle.profile}`;
    groups.set(key, [...groups.get(key) ?? [], bundle]);
  }
  const gone = [...groups.values()].flatMap((bundles) => {
    const rule = rules.get(bundles[0]!.profile);
    return rule === undefined ? [] : outlived(bundles, rule, now);
  });
  for (const bundle of gone) store.remove(bundle);
  return gone;
}

/** An export's id is a UUIDv7, which begins with its time in milliseconds. */
export function askedAt(exportId: string): number {
  return parseInt(exportId.slice(0, 8) + exportId.slice(9, 13), 16);
}

/** Which stored bundles may go: those that outlived the rule of their profile, and those of exports that came to nothing. */
import type { FileStore, StoredBundle } from "./store.ts";

export interface Retention {
  /** So many of the newest stay. */
  keep?: number;
  /** Whatever is younger stays. */
  days?: number;
}

/** The bundle of an export that succeeded. */
export interface MadeBundle extends StoredBundle {
  /** Milliseconds since 1970, by the clock of that moment. */
  madeAt: number;
}

/** What became of the export of a bundle; open: it waits or runs, and may replace what lies there. */
export type ExportOutcome = "succeeded" | "open" | "ended without a bundle" | "unknown";

const day = 86_400_000;

/**
 * Of `bundles`, which are one profile's of one tenant in the order in which they were made, those that neither rule keeps.
 * The newest always stays: a site whose exports fail for a month must not lose its last good one. A bundle is as young as any that
 * was made before it: a clock that was wrong for a while makes nothing old. `now` in milliseconds.
 */
export function expired(
  bundles: readonly MadeBundle[],
  { keep, days }: Retention,
  now: number,
): MadeBundle[] {
  const newest = Math.max(1, keep ?? 1);
  const since = days === undefined ? Infinity : now - days * day;
  let youngest = -Infinity;
  return bundles.slice(0, -newest).filter(({ madeAt }) => {
    youngest = Math.max(youngest, madeAt);
    return youngest < since;
  });
}

/**
 * Removes what outlived `rule`; what was removed. `made` are one profile's in the order in which they were made. One that is not there
 * any more is none of the newest.
 * @throws StellaError media
 */
export function applyRetention(
  store: FileStore,
  made: readonly MadeBundle[],
  rule: Retention,
  now: number,
): StoredBundle[] {
  const there = made.filter((bundle) => store.find(bundle) !== undefined);
  const gone = [...Map.groupBy(there, ({ tenant }) => tenant).values()]
    .flatMap((bundles) => expired(bundles, rule, now));
  for (const bundle of gone) store.remove(bundle);
  return gone;
}

export interface Orphans {
  /** Nobody could fetch them, and no rule would have taken them. */
  removed: StoredBundle[];
  /** Of exports that nobody remembers: they may be all that is left of them, and stay. */
  unknown: StoredBundle[];
}

/** Removes the bundles of exports that ended without one: the service died before it could. @throws StellaError media */
export function removeOrphans(
  store: FileStore,
  outcomeOf: (bundle: StoredBundle) => ExportOutcome,
): Orphans {
  const by = Map.groupBy(store.list(), outcomeOf);
  const removed = by.get("ended without a bundle") ?? [];
  for (const bundle of removed) store.remove(bundle);
  return { removed, unknown: by.get("unknown") ?? [] };
}

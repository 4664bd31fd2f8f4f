/**
 * Retention: which stored bundles are removed, because they have expired or their export failed.
 */
import type { FileStore, StoredBundle } from "./store.ts";

export interface Retention {
  /** Number of newest bundles to keep. */
  keep?: number;
  /** Age in days up to which bundles are kept. */
  days?: number;
}

/** The bundle of an export that succeeded. */
export interface MadeBundle extends StoredBundle {
  /** Milliseconds since 1970, by the clock at that time. */
  madeAt: number;
}

/** State of the export of a bundle; open: waiting or running, and it may replace the bundle. */
export type ExportOutcome = "succeeded" | "open" | "ended without a bundle" | "unknown";

const day = 86_400_000;

/**
 * Those of `bundles`, of one profile and tenant in the order in which they were made, that no rule
 * keeps. The newest one always stays: after a month of failures a site must not lose its last good
 * bundle. A bundle is as young as any made before it, so a wrong clock expires nothing.
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
 * Removes expired bundles of one profile. Missing ones do not count as newest.
 * @throws StellaError io
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
  /** They could not be downloaded, and no rule would have removed them. */
  removed: StoredBundle[];
  /** Bundles of unknown exports: they may be the only copy and are kept. */
  unknown: StoredBundle[];
}

/**
 * Removes bundles of exports that ended without one: the service had died.
 * @throws StellaError io
 */
export function removeOrphans(
  store: FileStore,
  outcomeOf: (bundle: StoredBundle) => ExportOutcome,
): Orphans {
  const by = Map.groupBy(store.list(), outcomeOf);
  const removed = by.get("ended without a bundle") ?? [];
  for (const bundle of removed) store.remove(bundle);
  return { removed, unknown: by.get("unknown") ?? [] };
}

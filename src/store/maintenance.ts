/**
 * Maintenance of the store: removes expired bundles and those of failed exports, and scrubs the
 * others regularly.
 */
import {
  applyRetention,
  type ExportOutcome,
  type MadeBundle,
  type Orphans,
  removeOrphans,
  type Retention,
} from "./files/retention.ts";
import { type Damage, readScrubbed, scrub, type Scrubbed, writeScrubbed } from "./files/scrub.ts";
import { Sizes, type StoredSize } from "./files/size.ts";
import type { FileStore, StoredBundle } from "./files/store.ts";

export interface MaintenanceOptions {
  store: FileStore;
  /** The state directory. */
  state: string;
  /** All configured profiles: those without a bundle are counted too. */
  profiles: readonly string[];
  /** By profile; without a rule all bundles are kept. */
  rules: ReadonlyMap<string, Retention>;
  /** Bundles of the successful exports of a profile, in order. */
  made(profile: string): readonly MadeBundle[];
  outcomeOf(bundle: StoredBundle): ExportOutcome;
  /** Milliseconds between two scrubs; 0: none. */
  scrubEvery: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  elapsed(): number;
  /** By profile; `others`, if all were examined: bundles of profiles no longer configured. */
  onCounts(counts: ReadonlyMap<string, StoredSize>, others: StoredSize | undefined): void;
  /** Called after a round over all profiles. */
  onRound?(): void;
  onRemoved(bundles: readonly StoredBundle[]): void;
  onOrphans(orphans: Orphans): void;
  /** Called after a scrub. */
  onScrubbed(damaged: readonly Damage[]): void;
  /** What is damaged and still stored, with the end of the last scrub, 0 if there was none. */
  onDamage(damaged: readonly Damage[], at: number): void;
  onFault(error: unknown): void;
  /** Milliseconds between rounds. */
  interval?: number;
  /** Milliseconds before removed bundles are recounted: several are often removed in a row. */
  pause?: number;
  /** Bytes per second. */
  rate?: number;
}

const defaults = { interval: 3_600_000, pause: 2_000, rate: 32 * 1024 * 1024, onRound: () => {} };

export class Maintenance {
  readonly #options: Required<MaintenanceOptions>;
  readonly #stop = new AbortController();
  readonly #sizes = new Sizes(this.#stop.signal);
  #scrubbed: Scrubbed;
  #counting: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #scrubbing: Promise<void> | undefined;

  constructor(options: MaintenanceOptions) {
    this.#options = { ...defaults, ...options };
    this.#scrubbed = readScrubbed(options.state);
  }

  start(): void {
    this.tidy();
    this.#scrubWhenDue();
    this.#timer = setTimeout(() => this.start(), this.#options.interval);
  }

  /**
   * Applies the rules and counts the remaining bundles: of one profile after each export, of all
   * regularly. The rules are applied when it returns; its promise resolves with the counts.
   */
  tidy(profile?: string): Promise<void> {
    const { rules, onFault } = this.#options;
    try {
      for (const one of profile === undefined ? rules.keys() : [profile]) this.#applyRule(one);
      if (profile === undefined) this.#round();
    } catch (error) {
      onFault(error);
    }
    return this.#recount(profile);
  }

  /** A request removed this bundle. */
  removed(bundle: StoredBundle): void {
    this.#sizes.forget([bundle]);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#recount();
    }, this.#options.pause);
  }

  /** Known damage of a stored bundle. */
  damageOf({ exportId }: StoredBundle): Damage | undefined {
    return this.#scrubbed.damaged.find((one) => one.exportId === exportId);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#soon);
    this.#stop.abort();
    await this.#counting;
    await this.#scrubbing;
  }

  #applyRule(profile: string): void {
    const { store, rules, made, now, onRemoved } = this.#options;
    const rule = rules.get(profile);
    if (rule === undefined) return;
    const gone = applyRetention(store, made(profile), rule, now());
    this.#sizes.forget(gone);
    if (gone.length > 0) onRemoved(gone);
  }

  #round(): void {
    this.#tellDamage();
    const { store, outcomeOf, onOrphans, onRound } = this.#options;
    const orphans = removeOrphans(store, outcomeOf);
    this.#sizes.forget(orphans.removed);
    onOrphans(orphans);
    onRound();
  }

  /** Counts run one after another: an older one must not be reported last. */
  #recount(profile?: string): Promise<void> {
    const { onFault } = this.#options;
    this.#counting = this.#counting.then(() => this.#count(profile)).catch(onFault);
    return this.#counting;
  }

  async #count(profile: string | undefined): Promise<void> {
    const { store, profiles, onCounts } = this.#options;
    const isAll = profile === undefined;
    const { counts, others } = isAll
      ? await this.#sizes.count(store, profiles)
      : await this.#sizes.count(store, [profile], { profile });
    if (this.#stop.signal.aborted) return;
    onCounts(counts, isAll ? others : undefined);
    this.#tellDamage();
  }

  #tellDamage(): void {
    const { store, onDamage } = this.#options;
    const { at, damaged } = this.#scrubbed;
    onDamage(damaged.filter((one) => store.find(one) !== undefined), at);
  }

  /** Damaged bundles are read again in every round: the fault may have been transient. */
  #scrubWhenDue(): void {
    const { scrubEvery, now, onFault } = this.#options;
    const { at, damaged } = this.#scrubbed;
    const isDue = scrubEvery > 0 && Math.abs(now() - at) >= scrubEvery;
    if (this.#scrubbing !== undefined || !isDue && damaged.length === 0) return;
    this.#scrubbing = this.#scrub(isDue).catch(onFault).finally(() => {
      this.#scrubbing = undefined;
    });
  }

  async #scrub(isDue: boolean): Promise<void> {
    const { store, rate, elapsed, now, state, onScrubbed } = this.#options;
    const { signal } = this.#stop;
    const { at, damaged: known } = this.#scrubbed;
    const bundles = isDue ? store.list() : known;
    const damaged = await scrub(bundles, { store, rate, elapsed, signal });
    if (signal.aborted) return;
    if (isDue) onScrubbed(damaged);
    this.#scrubbed = { at: isDue ? now() : at, damaged };
    this.#tellDamage();
    writeScrubbed(state, this.#scrubbed);
  }
}

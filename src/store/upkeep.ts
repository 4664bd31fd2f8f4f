/**
 * What keeps the store in order while the service runs: bundles that outlived their rule go, and now and then all that is left
 * is read (scrub.ts). When that was done last stands in a file beside the bundles, so that a restart does not begin anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyRetention, type Retention } from "./retention.ts";
import { type Damage, scrub } from "./scrub.ts";
import { Sizes, type Stored } from "./size.ts";
import type { FileStore, StoredBundle } from "./store.ts";

export interface UpkeepOptions {
  store: FileStore;
  /** The state directory. */
  state: string;
  /** All there are: those without a bundle are counted too. */
  profiles: readonly string[];
  /** By profile; a profile without a rule keeps all its bundles. */
  rules: ReadonlyMap<string, Retention>;
  /** Milliseconds between two scrubs; 0: none. */
  scrubEvery: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  /** What the profiles have that were looked at. */
  onCounts(counts: ReadonlyMap<string, Stored>): void;
  /** A round over all profiles ended. */
  onRound?(): void;
  onRemoved(bundles: readonly StoredBundle[]): void;
  /** A scrub ended. */
  onScrubbed(damaged: readonly Damage[]): void;
  onFault(error: unknown): void;
  /** Milliseconds between rounds. */
  interval?: number;
  /** Bytes a second. */
  rate?: number;
}

export class Upkeep {
  readonly #options: Required<UpkeepOptions>;
  readonly #stop = new AbortController();
  readonly #sizes = new Sizes(this.#stop.signal);
  #counting: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #scrubbing: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = { interval: 3_600_000, rate: 32 * 1024 * 1024, onRound: () => {}, ...options };
  }

  start(): void {
    this.tidy();
    this.#scrubWhenDue();
    this.#timer = setTimeout(() => this.start(), this.#options.interval);
  }

  /**
   * Applies the rules and counts what is left; of one profile after each of its exports, of all now and then. The rules are
   * applied when it returns, the count is told when its promise resolves.
   */
  tidy(profile?: string): Promise<void> {
    const { store, rules, now, onRemoved, onRound, onFault } = this.#options;
    try {
      const gone = applyRetention(store, rules, now(), profile === undefined ? {} : { profile });
      this.#sizes.forget(gone);
      if (gone.length > 0) onRemoved(gone);
      if (profile === undefined) onRound();
    } catch (error) {
      onFault(error);
    }
    // One count after the other: an older one must not be told last.
    this.#counting = this.#counting.then(() => this.#count(profile)).catch(onFault);
    return this.#counting;
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort();
    await this.#counting;
    await this.#scrubbing;
  }

  async #count(profile: string | undefined): Promise<void> {
    const { store, profiles, onCounts } = this.#options;
    const counts = profile === undefined
      ? await this.#sizes.count(store, profiles)
      : await this.#sizes.count(store, [profile], { profile });
    if (!this.#stop.signal.aborted) onCounts(counts);
  }

  #scrubWhenDue(): void {
    const { scrubEvery, now } = this.#options;
    const age = Math.abs(now() - this.#lastScrub());
    if (scrubEvery === 0 || this.#scrubbing !== undefined || age < scrubEvery) return;
    this.#scrubbing = this.#scrub().catch(this.#options.onFault).finally(() => {
      this.#scrubbing = undefined;
    });
  }

  async #scrub(): Promise<void> {
    const { store, rate, elapsed, now, onScrubbed } = this.#options;
    const { signal } = this.#stop;
    const damaged = await scrub({ store, rate, elapsed, signal });
    if (signal.aborted) return;
    writeFileSync(this.#note(), `${now()}\n`, { mode: 0o600 });
    onScrubbed(damaged);
  }

  #note(): string {
    return join(this.#options.state, "scrubbed");
  }

  #lastScrub(): number {
    try {
      return Number(readFileSync(this.#note(), "utf8"));
    } catch {
      return 0;
    }
  }
}

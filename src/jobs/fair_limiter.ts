/**
 * Places that several parties share: whoever comes takes one while less than half of them are
 * taken; after that only who has fewer than an equal share of the other half. So one party alone
 * may use half of them, and however many parties take all they can get, each of the others still
 * gets its share.
 */
export class FairLimiter {
  /** By party; only those that have some. */
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** @param parties how many may come at all; a single one may take all places */
  constructor(readonly places: number, readonly parties: number) {}

  /**
   * Takes a place; undefined where there is none for this party. The result gives it back, once.
   */
  acquire(party: string): (() => void) | undefined {
    if (!this.#mayTake(party)) return undefined;
    this.#count(party, 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#count(party, -1);
      isHeld = false;
    };
  }

  #mayTake(party: string): boolean {
    if (this.#all >= this.places) return false;
    const open = Math.floor(this.places / 2);
    if (this.parties <= 1 || this.#all < open) return true;
    const share = Math.max(1, Math.floor((this.places - open) / (this.parties - 1)));
    return (this.#taken.get(party) ?? 0) < share;
  }

  #count(party: string, change: 1 | -1): void {
    this.#all += change;
    const taken = (this.#taken.get(party) ?? 0) + change;
    if (taken === 0) this.#taken.delete(party);
    else this.#taken.set(party, taken);
  }
}

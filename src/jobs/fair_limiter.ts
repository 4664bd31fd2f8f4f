/**
 * A limited number of places shared by several parties: anybody gets a place while less than half
 * are taken; after that only parties with fewer than an equal share of the other half. So a single
 * party can use half of the places, and the others still get their share.
 */
export class FairLimiter {
  /** Places held, by party. */
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** @param parties the number of possible parties; a single one may take all places */
  constructor(readonly places: number, readonly parties: number) {}

  /** Takes a place; undefined if none is available to this party. Call the result to release it. */
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

/**
 * Chooses the next tenant: the one with the fewest running jobs, then the one served longest ago.
 */

export class FairScheduler {
  /** Tenant to the number of jobs served when it was last served. */
  readonly #served = new Map<string, number>();
  #count = 0;

  /** The next tenant of `waiting`, whose order decides ties; `running` counts jobs by tenant. */
  next(waiting: readonly string[], running: ReadonlyMap<string, number>): string | undefined {
    const rank = (tenant: string) => [running.get(tenant) ?? 0, this.#served.get(tenant) ?? 0];
    const compare = (a: string, b: string) => {
      const [first, second] = [rank(a), rank(b)];
      return first[0]! - second[0]! || first[1]! - second[1]!;
    };
    return waiting.toSorted(compare)[0];
  }

  recordServed(tenant: string): void {
    this.#served.set(tenant, ++this.#count);
  }
}

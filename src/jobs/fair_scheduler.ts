/** Chooses the tenant with the fewest running jobs, then the one served longest ago. */
export class FairScheduler {
  /** Tenant to the number of jobs served when it was last served. */
  readonly #served = new Map<string, number>();
  #count = 0;

  /** The next tenant of `waiting`, whose order decides ties; `running` counts jobs by tenant. */
  next(waiting: readonly string[], running: ReadonlyMap<string, number>): string | undefined {
    const load = (tenant: string) => running.get(tenant) ?? 0;
    const served = (tenant: string) => this.#served.get(tenant) ?? 0;
    return waiting.toSorted((a, b) => load(a) - load(b) || served(a) - served(b))[0];
  }

  recordServed(tenant: string): void {
    this.#served.set(tenant, ++this.#count);
  }
}

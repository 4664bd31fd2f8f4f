/** Common parts of the queries: the reader's choices, and a few shapes. */

/** A metric of the chosen instances. */
export function ofInstances(metric: string, ...matchers: string[]): string {
  return `${metric}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join()}}`;
}

/** A metric with a label `profile`, for the chosen instances and profiles. */
export function ofProfiles(metric: string, ...matchers: string[]): string {
  return ofInstances(metric, 'profile=~"$profile"', ...matchers);
}

/** The reader's choice, for exports: they are rare, and Grafana's own interval would leave gaps. */
const longRange = "$window";

/** Grafana's interval, for frequent events. */
export const shortRange = "$__rate_interval";

/** Growth of a counter per second. */
export function rate(by: string, counter: string, range = longRange): string {
  return `sum by (${by}) (rate(${counter}[${range}]))`;
}

export function perHour(by: string, counter: string): string {
  return `${rate(by, counter)} * 3600`;
}

/** Growth of a counter since the last point of the graph. */
export function increase(by: string, counter: string): string {
  return `sum by (${by}) (increase(${counter}[${shortRange}]))`;
}

/** A quantile of a classic histogram, in the unit of its buckets. */
export function quantile(q: number, by: string, buckets: string, range = longRange): string {
  return `histogram_quantile(${q}, ${rate(`${by}, le`, buckets, range)})`;
}

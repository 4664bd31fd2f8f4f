/** The matchers that every query of the dashboard carries, and the two shapes that most of them have. */

export const ofInstance = 'job=~"$job",instance=~"$instance"';

/** For metrics with a `profile` label. */
export const ofProfile = `${ofInstance},profile=~"$profile"`;

/** The q-quantile of a classic histogram, per profile, over the window that the reader chose; in the histogram's unit. */
export function quantile(q: number, histogram: string): string {
  return `histogram_quantile(${q}, sum by (profile, le) (rate(${histogram}_bucket{${ofProfile}}[$window])))`;
}

/** How often in an hour a counter grew, per value of `label`. */
export function perHour(label: string, counter: string, matchers: string): string {
  return `sum by (${label}) (rate(${counter}{${matchers}}[$window])) * 3600`;
}

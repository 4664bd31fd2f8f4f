/** How long a job that failed waits before it is tried again. */

/** Milliseconds before the second try; each further one waits four times as long. */
const firstWait = 10_000;
const maxWait = 600_000;

/**
 * Milliseconds after `tries` tries. `random`, in [0, 1), spreads it over its second half: jobs that failed together, when a
 * registry went away, do not all come back together.
 */
export function backoff(tries: number, random: number, first = firstWait): number {
  const whole = Math.min(maxWait, first * 4 ** Math.max(0, tries - 1));
  return Math.round(whole * (0.5 + random / 2));
}

/** Backoff: how long a failed job waits for its next try. */

/** Milliseconds before the second try; each further wait is four times as long. */
const firstWait = 10_000;
const maxWait = 600_000;

/**
 * Milliseconds after `tries` tries. `random`, in [0, 1), spreads the second half: jobs that failed
 * together, because a registry was down, must not all retry together.
 */
export function backoff(tries: number, random: number, first = firstWait): number {
  const whole = Math.min(maxWait, first * 4 ** Math.max(0, tries - 1));
  return Math.round(whole * (0.5 + random / 2));
}

/** Durations as users write them: `90s`, `15m`, `1h`. */

const seconds: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** Whole seconds, or undefined if `text` is not a valid duration. */
export function durationSeconds(text: string): number | undefined {
  const parts = /^([1-9]\d{0,5})([smh])$/.exec(text);
  return parts === null ? undefined : Number(parts[1]) * (seconds[parts[2] ?? ""] ?? NaN);
}

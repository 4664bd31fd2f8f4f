/**
 * The readiness check for a plausible clock. Leases, schedules and ids depend on it; durations do
 * not.
 */
import type { Check } from "./readiness.ts";

export interface ClockOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  elapsed(): number;
  /** RFC 3339, or `unknown`: a correct clock cannot be before it. */
  buildDate: string;
  /** Called if the clock was set back since the last check. */
  onSetBack(): void;
}

/** Milliseconds; a clock that is being adjusted differs by less between two checks. */
const jitter = 1_000;

/** Warns if the clock is before the build date, and in the round in which it was set back. */
export function clockSane({ now, elapsed, buildDate, onSetBack }: ClockOptions): Check {
  const built = Date.parse(buildDate);
  let last: { now: number; elapsed: number } | undefined;
  return {
    name: "clock:sane",
    limit: 1_000,
    run: () => {
      const seen = { now: now(), elapsed: elapsed() };
      const back = last === undefined ? 0 : seen.elapsed - last.elapsed - (seen.now - last.now);
      last = seen;
      if (back > jitter) {
        onSetBack();
        return { status: "warn", output: `the clock was set back by ${Math.round(back / 1000)} s` };
      }
      if (seen.now < built) {
        return { status: "warn", output: "the clock is before this build's date" };
      }
      return { status: "pass" };
    },
  };
}

/** Whether the clock can be right. Leases, schedules and names of exports live by it; durations do not. */
import type { Check } from "./readiness.ts";

export interface ClockOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  /** RFC 3339, or `unknown`: no clock is right that is before it. */
  buildDate: string;
  /** It was set back since the last look. */
  onSetBack(): void;
}

/** Milliseconds; a clock that is steered differs by less between two looks. */
const jitter = 1_000;

/** Warns before the build's time, and in the round in which it finds the clock set back. */
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

/** `created` of a bundle: whole seconds, UTC, in the range of tar, zip and FAT (1980 to 2107). */

export const earliestCreated = Date.UTC(1980, 0, 1) / 1000;
export const latestCreated = Date.UTC(2108, 0, 1) / 1000 - 1;

/** `YYYY-MM-DDTHH:MM:SSZ` of seconds since 1970. */
export function createdText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19) + "Z";
}

/** Seconds since 1970, or undefined if the text is not such a time or out of range. */
export function createdSeconds(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return undefined;
  const seconds = Date.parse(text) / 1000;
  const valid = seconds >= earliestCreated && seconds <= latestCreated;
  return valid && createdText(seconds) === text ? seconds : undefined;
}

/** The clocks of this process. */
export interface Clocks {
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds: setting the clock does not change them. */
  elapsed(): number;
}

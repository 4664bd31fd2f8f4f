/** UUIDv7, which sorts by creation time. Source: RFC 9562 section 5.7. */

/** `now` is milliseconds since 1970; `random` is at least ten bytes, used once. */
export function uuidV7(now: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  bytes.set(random.subarray(0, 10), 6);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(now / 2 ** 32));
  view.setUint32(2, now % 2 ** 32);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = bytes.toHex();
  return [0, 8, 12, 16, 20].map((from, at, cuts) => hex.slice(from, cuts[at + 1])).join("-");
}

/** Milliseconds since 1970 according to a UUIDv7. */
export function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

export interface IdOptions {
  /** Milliseconds since 1970. */
  now(): number;
  random(bytes: Uint8Array): Uint8Array;
  /** The newest existing id. */
  after?: string | undefined;
  /** Ids that share a millisecond, up to 4096: a counter replaces their first random bits. */
  perMillisecond?: number;
}

/**
 * Generates ascending ids, also within a millisecond and after the clock was set back, because
 * bundles are kept by age and order. RFC 9562 section 6.2 allows a time ahead of the clock.
 */
export function ascendingIds({ now, random, after, perMillisecond = 1 }: IdOptions): () => string {
  let last = { time: after === undefined ? 0 : timeOf(after), count: perMillisecond };
  return () => {
    const time = Math.max(now(), last.time);
    const count = time > last.time ? 0 : last.count + 1;
    last = count < perMillisecond ? { time, count } : { time: time + 1, count: 0 };
    const bytes = random(new Uint8Array(10));
    if (perMillisecond > 1) new DataView(bytes.buffer).setUint16(0, last.count);
    return uuidV7(last.time, bytes);
  };
}

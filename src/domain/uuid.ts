/** UUIDv7: sorts by the time it was made. Source: RFC 9562 section 5.7. */

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

/** Milliseconds since 1970 at which a UUIDv7 says that it was made. */
export function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

export interface IdOptions {
  /** Milliseconds since 1970. */
  now(): number;
  random(bytes: Uint8Array): Uint8Array;
  /** The newest id that there is already. */
  after?: string | undefined;
}

/**
 * Gives ids that ascend, also within a millisecond and when the clock is set back: what is kept by age and in order must not take
 * a new bundle for an old one. RFC 9562 section 6.2 allows a time ahead of the clock's for that.
 */
export function ascendingIds({ now, random, after }: IdOptions): () => string {
  let last = after === undefined ? 0 : timeOf(after);
  return () => {
    last = Math.max(now(), last + 1);
    return uuidV7(last, random(new Uint8Array(10)));
  };
}

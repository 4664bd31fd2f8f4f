/**
 * Ed25519 public keys that must be refused. With a key of small order, a signature made without any
 * private key verifies for one message in eight or more, and OpenSSL accepts such keys. A point has
 * one encoding (RFC 8032, section 5.1.2), but OpenSSL also accepts coordinates from the prime
 * upward, so one key could have two key ids. The eight points of small order: Chalkias, Garillot
 * and Nikolaenko, "Taming the Many EdDSAs", 2020, table 1; libsodium 1.0.20,
 * ge25519_has_small_order.
 */
const prime = 2n ** 255n - 19n;

/** The smaller y of the points of order 8; the other two points have its negative. */
const orderEight = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

/** 1 has order 1, -1 order 2, 0 order 4; a point and its negative share their y. */
const smallOrder: readonly bigint[] = [0n, 1n, prime - 1n, orderEight, prime - orderEight];

/** Why 32 bytes are refused as a key, or undefined. Verifying checks that it is on the curve. */
export function ed25519Fault(encoded: Uint8Array): string | undefined {
  const bytes = Uint8Array.from(encoded).reverse();
  // The highest bit is the sign of x.
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${bytes.toHex()}`);
  if (smallOrder.includes(y % prime)) {
    return "it is a point of small order: anybody can forge signatures for it";
  }
  return y >= prime ? "its point is not encoded as RFC 8032 requires" : undefined;
}

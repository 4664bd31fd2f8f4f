/**
 * The first random number of a process takes Deno 2.9 some 50 ms, in which its cryptography
 * collects entropy, and the first TLS connection waits for it. Asked for here, another thread does
 * that while the program still loads what it needs.
 */
export function collectEntropy(): void {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  // Of the key generators this one does not do it on the thread of the caller. The key is thrown
  // away.
  crypto.subtle.generateKey(curve, false, ["sign"]).catch(() => {});
}

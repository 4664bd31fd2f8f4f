/**
 * Normalizes ECDSA signatures. If (r, s) is valid, so is (r, n - s), so anybody could change the
 * bytes of a signature; the smaller s is written, and both are accepted, because OpenSSL and cosign
 * create either. Source: SEC 1 version 2.0, section 4.1.3; RFC 3279, section 2.2.3
 * (Ecdsa-Sig-Value).
 */

/** FIPS 186-4, D.1.2.3: the order of P-256's base point. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const length = 32;

/** @param signature r and s of P-256, 32 bytes each @returns DER with the smaller s */
export function lowSignature(signature: Uint8Array): Uint8Array {
  const r = signature.subarray(0, length);
  const s = BigInt(`0x${signature.subarray(length).toHex()}`);
  const low = s > order / 2n ? order - s : s;
  const integers = [integer(r), integer(bytesOf(low))];
  return Uint8Array.from([
    0x30,
    integers.reduce((sum, one) => sum + one.length, 0),
    ...integers.flat(),
  ]);
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.fromHex(value.toString(16).padStart(2 * length, "0"));
}

/** A positive INTEGER: the fewest bytes, with a leading zero before a first bit of 1. */
function integer(bytes: Uint8Array): number[] {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = [...bytes.subarray(first < 0 ? bytes.length - 1 : first)];
  if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
  return [0x02, digits.length, ...digits];
}

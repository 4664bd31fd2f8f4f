/**
 * The part of the protobuf wire format that OTLP traces need, for untrusted bytes. Everything is
 * bounded by the input. Source: protobuf.dev, "Encoding".
 */

export type Field =
  | { number: number; wire: "varint" | "fixed64" | "fixed32"; value: bigint }
  | { number: number; wire: "bytes"; value: Uint8Array };

/** Malformed bytes; the message contains no content. */
export class WireError extends Error {}

export function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count: number): number => {
    if (count > bytes.length - at) throw new WireError("a field is truncated");
    at += count;
    return at - count;
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = view.getUint8(take(1));
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError("a number is too long");
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Number(key >> 3n);
    if (number === 0) throw new WireError("a field has the number 0");
    const type = Number(key & 7n);
    if (type === 0) yield { number, wire: "varint", value: varint() };
    else if (type === 1) yield { number, wire: "fixed64", value: view.getBigUint64(take(8), true) };
    else if (type === 5) {
      yield { number, wire: "fixed32", value: BigInt(view.getUint32(take(4), true)) };
    } else if (type === 2) {
      const length = Number(varint());
      const start = take(length);
      yield { number, wire: "bytes", value: bytes.subarray(start, start + length) };
    } else throw new WireError("a field has an unknown wire type");
  }
}

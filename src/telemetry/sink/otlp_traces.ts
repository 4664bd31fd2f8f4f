/**
 * Reads OTLP traces, protobuf or JSON, as an object of OTLP's JSON encoding. Unknown fields are
 * dropped from protobuf and kept in JSON. The bytes are untrusted: everything is bounded by the
 * input. Sources: opentelemetry-proto 1.x (trace/v1/trace.proto, common/v1/common.proto,
 * collector/trace/v1/trace_service.proto); protobuf.dev, "Encoding".
 */
import * as z from "zod";

/** Malformed bytes; the message contains no content. */
export class WireError extends Error {}

const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).nullish();
const id = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`, "i"));
const span = z.object({ traceId: id(32), spanId: id(16) });
const scopeSpans = z.object({ spans: listOf(span) });
const resourceSpans = z.object({ scopeSpans: listOf(scopeSpans) });
const tracesSchema = z.object({ resourceSpans: listOf(resourceSpans) });

/** `line` is the traces as JSON with all their fields, `count` the number of spans. */
export interface Traces {
  line: string;
  count: number;
}

/** @throws WireError if it is not JSON, or not traces */
export function tracesFromJson(bytes: Uint8Array): Traces {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new WireError("the body is not JSON");
  }
  return checked(value);
}

/** @throws WireError */
export function tracesFromProtobuf(bytes: Uint8Array): Traces {
  return checked(message("TracesData", bytes, 0));
}

function checked(value: unknown): Traces {
  const traces = tracesSchema.safeParse(value);
  if (!traces.success) {
    const place = traces.error.issues[0]?.path.join(".") ?? "";
    throw new WireError(`the body is not traces: ${place === "" ? "no object" : `see ${place}`}`);
  }
  const scopes = (traces.data.resourceSpans ?? []).flatMap((one) => one.scopeSpans ?? []);
  const count = scopes.reduce((sum, { spans }) => sum + (spans?.length ?? 0), 0);
  return { line: JSON.stringify(value), count };
}

/**
 * The fields of each message as `name:form`, in the order of their numbers from 1; `-` is a number
 * without a field. The form is how JSON writes the field: a message by its name, a list with `[]`.
 */
const messages = {
  TracesData: "resourceSpans:ResourceSpans[]",
  ResourceSpans: "resource:Resource scopeSpans:ScopeSpans[] schemaUrl:string",
  Resource: "attributes:KeyValue[] droppedAttributesCount:uint",
  ScopeSpans: "scope:Scope spans:Span[] schemaUrl:string",
  Scope: "name:string version:string attributes:KeyValue[] droppedAttributesCount:uint",
  Span: "traceId:hex spanId:hex traceState:string parentSpanId:hex name:string kind:uint " +
    "startTimeUnixNano:fixed64 endTimeUnixNano:fixed64 attributes:KeyValue[] " +
    "droppedAttributesCount:uint events:Event[] droppedEventsCount:uint links:Link[] " +
    "droppedLinksCount:uint status:Status flags:uint",
  Event: "timeUnixNano:fixed64 name:string attributes:KeyValue[] droppedAttributesCount:uint",
  Link: "traceId:hex spanId:hex traceState:string attributes:KeyValue[] " +
    "droppedAttributesCount:uint flags:uint",
  Status: "- message:string code:uint",
  KeyValue: "key:string value:AnyValue",
  AnyValue: "stringValue:string boolValue:bool intValue:int64 doubleValue:double " +
    "arrayValue:ArrayValue kvlistValue:KeyValueList bytesValue:base64",
  ArrayValue: "values:AnyValue[]",
  KeyValueList: "values:KeyValue[]",
};

const fieldsOf: ReadonlyMap<string, readonly (readonly string[])[]> = new Map(
  Object.entries(messages).map(([name, text]) => [name, text.split(" ").map((f) => f.split(":"))]),
);

/** Numbers are as they lie in the bytes; strings, bytes and messages are not decoded yet. */
type WireValue = bigint | Uint8Array;

/** How JSON writes a field that is no message; numbers of 64 bits are text. */
const forms = new Map<string, (value: WireValue) => unknown>([
  ["string", (value) => new TextDecoder().decode(bytesOf(value))],
  ["hex", (value) => bytesOf(value).toHex()],
  ["base64", (value) => bytesOf(value).toBase64()],
  ["bool", (value) => numberOf(value) !== 0n],
  ["uint", (value) => Number(numberOf(value))],
  ["int64", (value) => String(BigInt.asIntN(64, numberOf(value)))],
  ["fixed64", (value) => String(numberOf(value))],
  ["double", (value) => doubleOf(numberOf(value))],
]);

/** Nesting limit of values: a hostile sender could crash the program with more. */
const maxDepth = 64;

function message(name: string, bytes: Uint8Array, depth: number): Record<string, unknown> {
  if (depth > maxDepth) throw new WireError("values are nested too deep");
  const result: Record<string, unknown> = {};
  for (const { number, value } of wireFields(bytes)) {
    const [key = "", form] = fieldsOf.get(name)?.[number - 1] ?? [];
    if (form === undefined) continue;
    const isList = form.endsWith("[]");
    const write = forms.get(form) ??
      ((inner) => message(form.replace("[]", ""), bytesOf(inner), depth + 1));
    const list = result[key];
    if (isList && Array.isArray(list)) list.push(write(value));
    else result[key] = isList ? [write(value)] : write(value);
  }
  return result;
}

/** Numbers that JSON lacks are written as text by protobuf's JSON. */
function doubleOf(bits: bigint): number | string {
  const number = new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
  return Number.isFinite(number) ? number : String(number);
}

function bytesOf(value: WireValue): Uint8Array {
  if (typeof value === "bigint") throw new WireError("a field has an unexpected type");
  return value;
}

function numberOf(value: WireValue): bigint {
  if (typeof value !== "bigint") throw new WireError("a field has an unexpected type");
  return value;
}

function* wireFields(bytes: Uint8Array): Generator<{ number: number; value: WireValue }> {
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
  const read: Readonly<Record<number, () => WireValue>> = {
    0: varint,
    1: () => view.getBigUint64(take(8), true),
    2: () => {
      const length = Number(varint());
      const start = take(length);
      return bytes.subarray(start, start + length);
    },
    5: () => BigInt(view.getUint32(take(4), true)),
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Number(key >> 3n);
    if (number === 0) throw new WireError("a field has the number 0");
    const value = read[Number(key & 7n)]?.();
    if (value === undefined) throw new WireError("a field has an unknown wire type");
    yield { number, value };
  }
}

/**
 * Converts OTLP traces, protobuf or JSON, to an object of OTLP's JSON encoding. Unknown fields are
 * dropped from protobuf and kept in JSON. Source: opentelemetry-proto 1.x: trace/v1/trace.proto,
 * common/v1/common.proto, collector/trace/v1/trace_service.proto.
 */
import { fields, WireError } from "./protobuf.ts";

/** How a field is written in JSON; a message has a name, a list has `[]`. */
type Shape =
  | "string"
  | "bool"
  | "uint"
  | "int64"
  | "fixed64"
  | "double"
  | "hex"
  | "base64"
  | `${MessageName}`
  | `${MessageName}[]`;
type MessageName =
  | "TracesData"
  | "ResourceSpans"
  | "Resource"
  | "ScopeSpans"
  | "Scope"
  | "Span"
  | "Event"
  | "Link"
  | "Status"
  | "KeyValue"
  | "AnyValue"
  | "ArrayValue"
  | "KeyValueList";

const messages: Readonly<Record<MessageName, Readonly<Record<number, [string, Shape]>>>> = {
  TracesData: { 1: ["resourceSpans", "ResourceSpans[]"] },
  ResourceSpans: {
    1: ["resource", "Resource"],
    2: ["scopeSpans", "ScopeSpans[]"],
    3: ["schemaUrl", "string"],
  },
  Resource: { 1: ["attributes", "KeyValue[]"], 2: ["droppedAttributesCount", "uint"] },
  ScopeSpans: { 1: ["scope", "Scope"], 2: ["spans", "Span[]"], 3: ["schemaUrl", "string"] },
  Scope: {
    1: ["name", "string"],
    2: ["version", "string"],
    3: ["attributes", "KeyValue[]"],
    4: ["droppedAttributesCount", "uint"],
  },
  Span: {
    1: ["traceId", "hex"],
    2: ["spanId", "hex"],
    3: ["traceState", "string"],
    4: ["parentSpanId", "hex"],
    5: ["name", "string"],
    6: ["kind", "uint"],
    7: ["startTimeUnixNano", "fixed64"],
    8: ["endTimeUnixNano", "fixed64"],
    9: ["attributes", "KeyValue[]"],
    10: ["droppedAttributesCount", "uint"],
    11: ["events", "Event[]"],
    12: ["droppedEventsCount", "uint"],
    13: ["links", "Link[]"],
    14: ["droppedLinksCount", "uint"],
    15: ["status", "Status"],
    16: ["flags", "uint"],
  },
  Event: {
    1: ["timeUnixNano", "fixed64"],
    2: ["name", "string"],
    3: ["attributes", "KeyValue[]"],
    4: ["droppedAttributesCount", "uint"],
  },
  Link: {
    1: ["traceId", "hex"],
    2: ["spanId", "hex"],
    3: ["traceState", "string"],
    4: ["attributes", "KeyValue[]"],
    5: ["droppedAttributesCount", "uint"],
    6: ["flags", "uint"],
  },
  Status: { 2: ["message", "string"], 3: ["code", "uint"] },
  KeyValue: { 1: ["key", "string"], 2: ["value", "AnyValue"] },
  AnyValue: {
    1: ["stringValue", "string"],
    2: ["boolValue", "bool"],
    3: ["intValue", "int64"],
    4: ["doubleValue", "double"],
    5: ["arrayValue", "ArrayValue"],
    6: ["kvlistValue", "KeyValueList"],
    7: ["bytesValue", "base64"],
  },
  ArrayValue: { 1: ["values", "AnyValue[]"] },
  KeyValueList: { 1: ["values", "KeyValue[]"] },
};

/**
 * Nesting limit of values: no sender needs more, and a hostile one could crash the program with
 * more.
 */
const maxDepth = 64;

export type Json = Record<string, unknown>;

/** @throws WireError */
export function tracesFromProtobuf(bytes: Uint8Array): Json {
  return message("TracesData", bytes, 0);
}

function message(name: MessageName, bytes: Uint8Array, depth: number): Json {
  if (depth > maxDepth) throw new WireError("values lie too deep in each other");
  const result: Json = {};
  for (const field of fields(bytes)) {
    const [key, shape] = messages[name][field.number] ?? [];
    if (key === undefined || shape === undefined) continue;
    if (shape.endsWith("[]")) {
      const list = (result[key] ??= []) as unknown[];
      list.push(message(shape.slice(0, -2) as MessageName, bytesOf(field.value), depth + 1));
    } else result[key] = single(shape, field.value, depth);
  }
  return result;
}

function single(shape: Shape, value: bigint | Uint8Array, depth: number): unknown {
  switch (shape) {
    case "string":
      return new TextDecoder().decode(bytesOf(value));
    case "hex":
      return bytesOf(value).toHex();
    case "base64":
      return bytesOf(value).toBase64();
    case "bool":
      return numberOf(value) !== 0n;
    case "uint":
      return Number(numberOf(value));
    case "int64":
      return String(BigInt.asIntN(64, numberOf(value)));
    case "fixed64":
      return String(numberOf(value));
    case "double":
      return doubleOf(numberOf(value));
    default:
      return message(shape as MessageName, bytesOf(value), depth + 1);
  }
}

/** Numbers that JSON lacks; protobuf's JSON writes them as text. */
function doubleOf(bits: bigint): number | string {
  const number = new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
  return Number.isFinite(number) ? number : String(number);
}

function bytesOf(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === "bigint") throw new WireError("a field has another type than it should");
  return value;
}

function numberOf(value: bigint | Uint8Array): bigint {
  if (typeof value !== "bigint") throw new WireError("a field has another type than it should");
  return value;
}

/** @throws WireError if it is not JSON, or not traces */
export function tracesFromJson(text: string): Json {
  const value = parsed(text);
  for (const resource of listOf(value, "resourceSpans")) {
    for (const scope of listOf(resource, "scopeSpans")) {
      for (const span of listOf(scope, "spans")) checkIds(span as Json);
    }
  }
  return value as Json;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WireError("the body is not JSON");
  }
}

function listOf(value: unknown, key: string): unknown[] {
  const list = isMap(value) ? value[key] ?? [] : undefined;
  if (!Array.isArray(list) || !list.every(isMap)) {
    throw new WireError(`${key} is not a list of objects`);
  }
  return list;
}

function isMap(value: unknown): value is Json {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function checkIds({ traceId, spanId }: Json): void {
  const good = /^[0-9a-fA-F]{32}$/.test(String(traceId)) &&
    /^[0-9a-fA-F]{16}$/.test(String(spanId));
  if (!good) throw new WireError("a span has no good traceId and spanId");
}

export function countSpans(traces: Json): number {
  return listOf(traces, "resourceSpans")
    .flatMap((resource) => listOf(resource, "scopeSpans"))
    .reduce((sum: number, scope) => sum + listOf(scope, "spans").length, 0);
}

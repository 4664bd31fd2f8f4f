/**
 * Converts OTLP traces, protobuf or JSON, to an object of OTLP's JSON encoding. Unknown fields are
 * dropped from protobuf and kept in JSON. Source: opentelemetry-proto 1.x: trace/v1/trace.proto,
 * common/v1/common.proto, collector/trace/v1/trace_service.proto.
 */
import { isObject } from "../../domain/json.ts";
import { fields, WireError } from "./protobuf.ts";

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

function message(name: string, bytes: Uint8Array, depth: number): Json {
  if (depth > maxDepth) throw new WireError("values are nested too deep");
  const result: Json = {};
  for (const field of fields(bytes)) {
    const [key = "", form] = fieldsOf.get(name)?.[field.number - 1] ?? [];
    if (form === undefined) continue;
    if (form.endsWith("[]")) {
      const one = message(form.slice(0, -2), bytesOf(field.value), depth + 1);
      const list = result[key];
      if (Array.isArray(list)) list.push(one);
      else result[key] = [one];
    } else result[key] = single(form, field.value, depth);
  }
  return result;
}

function single(form: string, value: bigint | Uint8Array, depth: number): unknown {
  switch (form) {
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
      return message(form, bytesOf(value), depth + 1);
  }
}

/** Numbers that JSON lacks; protobuf's JSON writes them as text. */
function doubleOf(bits: bigint): number | string {
  const number = new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
  return Number.isFinite(number) ? number : String(number);
}

function bytesOf(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === "bigint") throw new WireError("a field has an unexpected type");
  return value;
}

function numberOf(value: bigint | Uint8Array): bigint {
  if (typeof value !== "bigint") throw new WireError("a field has an unexpected type");
  return value;
}

/** @throws WireError if it is not JSON, or not traces */
export function tracesFromJson(text: string): Json {
  const value = parsed(text);
  for (const resource of listOf(value, "resourceSpans")) {
    for (const scope of listOf(resource, "scopeSpans")) {
      for (const span of listOf(scope, "spans")) checkIds(span);
    }
  }
  return isObject(value) ? value : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WireError("the body is not JSON");
  }
}

function listOf(value: unknown, key: string): Json[] {
  const list = isObject(value) ? value[key] ?? [] : undefined;
  if (!Array.isArray(list) || !list.every(isObject)) {
    throw new WireError(`${key} is not a list of objects`);
  }
  return list;
}

function checkIds({ traceId, spanId }: Json): void {
  const good = /^[0-9a-fA-F]{32}$/.test(String(traceId)) &&
    /^[0-9a-fA-F]{16}$/.test(String(spanId));
  if (!good) throw new WireError("a span has no valid traceId and spanId");
}

export function countSpans(traces: Json): number {
  return listOf(traces, "resourceSpans")
    .flatMap((resource) => listOf(resource, "scopeSpans"))
    .reduce((sum: number, scope) => sum + listOf(scope, "spans").length, 0);
}

/**
 * A finished span, and OTLP's JSON of it (opentelemetry-proto, "JSON Protobuf Encoding": ids as
 * hex, 64-bit numbers as decimal text, enums as numbers).
 */

export type SpanKind = "internal" | "server" | "client";

/** Undefined values are omitted. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string | undefined;
  name: string;
  kind: SpanKind;
  /** Milliseconds since 1970, with fractions. */
  start: number;
  end: number;
  attributes: Attributes;
  /** Why it failed; absent on success. */
  error?: string | undefined;
}

const kinds = { internal: 1, server: 2, client: 3 } as const;
const statusError = 2;

/** The body of one `POST /v1/traces`; `resource` identifies the program, `version` its version. */
export function encodeSpans(resource: Attributes, version: string, spans: readonly Span[]): string {
  const scope = { name: "stella", version };
  return JSON.stringify({
    resourceSpans: [{
      resource: { attributes: keyValues(resource) },
      scopeSpans: [{ scope, spans: spans.map(encodeSpan) }],
    }],
  });
}

function encodeSpan(span: Span): unknown {
  const { traceId, spanId, parentSpanId, name, kind, start, end, attributes, error } = span;
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: kinds[kind],
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(Math.max(start, end)),
    attributes: keyValues(attributes),
    status: error === undefined ? {} : { code: statusError, message: error },
  };
}

function keyValues(attributes: Attributes): unknown[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }]
  );
}

function anyValue(value: string | number | boolean): unknown {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Nanoseconds since 1970 do not fit a double: microseconds do, the rest is zeros. */
function nanoseconds(milliseconds: number): string {
  return `${Math.round(milliseconds * 1000)}000`;
}

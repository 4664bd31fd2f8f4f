import assert from "node:assert/strict";
import { formatTraceparent, parseTraceparent } from "../../src/telemetry/trace_context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const good = `00-${traceId}-${spanId}-01`;

Deno.test("a traceparent is parsed and formatted according to W3C Trace Context", () => {
  assert.deepEqual(parseTraceparent(good), { traceId, spanId, sampled: true });
  assert.equal(formatTraceparent({ traceId, spanId, sampled: true }), good);
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-00`)?.sampled, false);
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-03`)?.sampled, true);
});

Deno.test("a later version may have more parts, and its first four are used", () => {
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)?.traceId, traceId);
});

const refused: Record<string, string | undefined> = {
  "no header": undefined,
  "an empty one": "",
  "version ff": `ff-${traceId}-${spanId}-01`,
  "more after version 00": `${good}-x`,
  "a trace id of zeros": `00-${"0".repeat(32)}-${spanId}-01`,
  "a span id of zeros": `00-${traceId}-${"0".repeat(16)}-01`,
  "capital letters": good.toUpperCase(),
  "a short trace id": `00-${traceId.slice(1)}-${spanId}-01`,
  "two values in one header": `${good},${good}`,
};
for (const [what, text] of Object.entries(refused)) {
  Deno.test(`no context: ${what}`, () => assert.equal(parseTraceparent(text), undefined));
}

import assert from "node:assert/strict";
import { startTrace, traceRequest } from "../../src/telemetry/export_trace.ts";
import { encodeSpans, type Span } from "../../src/telemetry/span.ts";

const exportId = "0198c5e2-7d7a-7c6e-9f0e-3b1f2a4c5d6e";
const of = { exportId, profile: "advisories", tenant: "a", createdAt: 1_000 };
const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

/** A clock that the test sets, and ids that count. */
function parts() {
  const spans: Span[] = [];
  let id = 0;
  const clock = { at: 1_000, wrong: 0 };
  return {
    spans,
    clock,
    add: (span: Span) => spans.push(span),
    now: () => clock.at + clock.wrong,
    elapsed: () => clock.at,
    random: (bytes: Uint8Array) => bytes.fill(++id),
    escape: (text: string) => text.replaceAll("\u001b", "!"),
  };
}

const named = (spans: Span[], name: string) => spans.filter((one) => one.name === name);

/** One whole export with a push that fails. */
function run(traceparent?: string) {
  const to = parts();
  const trace = startTrace({ ...of, ...(traceparent === undefined ? {} : { traceparent }) }, to);
  const at = (time: number) => to.clock.at = time;
  at(3_000);
  trace?.started(1);
  trace?.onEvent({ kind: "progress", stage: "read", done: 0, total: 9 });
  at(5_000);
  trace?.onEvent({ kind: "progress", stage: "read", done: 9, total: 9 });
  trace?.onEvent({ kind: "verified", result: "success" });
  trace?.onEvent({ kind: "progress", stage: "push", done: 0, total: 9 });
  at(7_000);
  trace?.onEvent({ kind: "pushed", registry: "site", result: "auth", seconds: 1.5 });
  const error = { code: "remote", message: "refused \u001b[31m" };
  trace?.ended({ state: "failed", bundleDigest: "d".repeat(64), error });
  return to.spans;
}

Deno.test("an export is one trace: queue, attempt, stages and pushes below one span", () => {
  const spans = run();
  const [whole, attempt, read, push, sent, queue] = [
    "export",
    "export.attempt",
    "export.stage read",
    "export.stage push",
    "registry.push",
    "export.queue",
  ].map((name) => named(spans, name)[0]);
  assert.equal(spans.length, 6);
  assert.deepEqual([queue?.parentSpanId, attempt?.parentSpanId], [whole?.spanId, whole?.spanId]);
  assert.deepEqual([read?.parentSpanId, push?.parentSpanId], [attempt?.spanId, attempt?.spanId]);
  assert.deepEqual([sent?.parentSpanId, sent?.kind], [push?.spanId, "client"]);
  assert.deepEqual([whole?.start, whole?.end], [1_000, 7_000]);
  assert.deepEqual([queue?.start, queue?.end], [1_000, 3_000]);
  assert.deepEqual([read?.start, read?.end], [3_000, 5_000]);
  assert.deepEqual([sent?.start, sent?.end], [5_500, 7_000]);
  assert.equal(whole?.parentSpanId, undefined);
});

Deno.test("without a caller's trace the exportId is the trace id", () => {
  const hex = exportId.replaceAll("-", "");
  assert.deepEqual(new Set(run().map((one) => one.traceId)), new Set([hex]));
  assert.equal(named(run(), "export")[0]?.spanId, hex.slice(16));
});

Deno.test("a caller's trace is continued below its span", () => {
  const spans = run(`00-${caller.traceId}-${caller.spanId}-01`);
  assert.deepEqual(new Set(spans.map((one) => one.traceId)), new Set([caller.traceId]));
  assert.equal(named(spans, "export")[0]?.parentSpanId, caller.spanId);
});

Deno.test("an unsampled caller's trace is not recorded", () => {
  assert.deepEqual(run(`00-${caller.traceId}-${caller.spanId}-00`), []);
});

Deno.test("every span has the fields of the log, and a failed one its escaped error", () => {
  for (const span of run()) {
    assert.equal(span.attributes["exportId"], exportId);
    assert.equal(span.attributes["profile"], "advisories");
    assert.equal(span.attributes["tenant"], "a");
    assert.ok(span.attributes["attestationStatus"]);
  }
  const [whole] = named(run(), "export");
  assert.equal(whole?.attributes["bundleDigest"], "d".repeat(64));
  assert.equal(whole?.attributes["attestationStatus"], "verified");
  assert.equal(whole?.error, "refused ![31m");
  const [sent] = named(run(), "registry.push");
  assert.deepEqual([sent?.attributes["registry"], sent?.error], ["site", "auth"]);
  assert.equal(named(run(), "export.stage read")[0]?.error, undefined);
});

Deno.test("a second attempt after a restart is in the same trace, without a second queue span", () => {
  const to = parts();
  const again = startTrace(of, to);
  again?.started(2);
  again?.ended({ state: "succeeded" });
  assert.deepEqual(to.spans.map((one) => one.name), ["export.attempt", "export"]);
  assert.deepEqual(to.spans[1]?.spanId, exportId.replaceAll("-", "").slice(16));
});

Deno.test("a request passes its trace context to the queue, a new one if the caller has none", () => {
  const to = parts();
  const request = traceRequest(`00-${caller.traceId}-${caller.spanId}-01`, to);
  to.clock.at = 1_250;
  request.end({ exportId, profile: "advisories", tenant: "a", status: 202 });
  const [span] = to.spans;
  assert.equal(request.traceparent, `00-${caller.traceId}-${span?.spanId}-01`);
  assert.deepEqual([span?.parentSpanId, span?.kind, span?.end], [caller.spanId, "server", 1_250]);
  assert.equal(span?.attributes["http.response.status_code"], 202);
  assert.match(traceRequest("rubbish", to).traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const silent = traceRequest(`00-${caller.traceId}-${caller.spanId}-00`, to);
  silent.end({ exportId, profile: "advisories", tenant: "a", status: 202 });
  assert.match(silent.traceparent, /-00$/);
  assert.equal(to.spans.length, 1);
});

Deno.test("spans are written as OTLP's JSON: hex ids, times as decimal nanoseconds, typed values", () => {
  const span: Span = {
    ...caller,
    name: "export",
    kind: "server",
    start: 1_795_510_224_255.125,
    end: 1,
    attributes: { text: "a", count: 3, share: 0.5, yes: true, none: undefined },
    error: "why",
  };
  const { resourceSpans: [{ resource, scopeSpans }] } = JSON.parse(
    encodeSpans({ "service.name": "stella" }, "0.1.0", [span]),
  );
  assert.deepEqual(resource.attributes, [{
    key: "service.name",
    value: { stringValue: "stella" },
  }]);
  assert.deepEqual(scopeSpans[0].scope, { name: "stella", version: "0.1.0" });
  assert.deepEqual(scopeSpans[0].spans, [{
    ...caller,
    name: "export",
    kind: 2,
    startTimeUnixNano: "1795510224255125000",
    endTimeUnixNano: "1795510224255125000",
    attributes: [
      { key: "text", value: { stringValue: "a" } },
      { key: "count", value: { intValue: "3" } },
      { key: "share", value: { doubleValue: 0.5 } },
      { key: "yes", value: { boolValue: true } },
    ],
    status: { code: 2, message: "why" },
  }]);
});

Deno.test("setting the clock makes no span negative, longer or shorter", () => {
  for (const wrong of [-86_400_000, 86_400_000, -315_576_000_000]) {
    const to = parts();
    const trace = startTrace(of, to)!;
    const request = traceRequest(undefined, to);
    trace.started(1);
    trace.onEvent({ kind: "progress", stage: "read", done: 0, total: 9 });
    Object.assign(to.clock, { at: 4_000, wrong });
    trace.onEvent({ kind: "pushed", registry: "site", result: "success", seconds: 2 });
    trace.ended({ state: "succeeded" });
    request.end({ exportId, profile: "advisories", tenant: "a", status: 202 });
    const length = (name: string) => named(to.spans, name).map(({ start, end }) => end - start);
    for (const name of ["export.attempt", "export.stage read", "POST /v1/exports"]) {
      assert.deepEqual(length(name), [3_000], name);
    }
    assert.deepEqual(length("registry.push"), [2_000]);
    assert.ok([...length("export"), ...length("export.queue")].every((one) => one >= 0));
  }
});

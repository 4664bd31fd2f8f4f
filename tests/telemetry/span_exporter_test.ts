import assert from "node:assert/strict";
import type { Span } from "../../src/telemetry/span.ts";
import { SpanExporter } from "../../src/telemetry/span_exporter.ts";
import { Changes } from "../support/changes.ts";

const span: Span = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  name: "export",
  kind: "internal",
  start: 0,
  end: 1,
  attributes: {},
};

const changes = new Changes();

/**
 * An exporter whose collector answers `answers` in turn, then 200; an Error is a connection that
 * fails.
 */
function exporter(answers: (number | Error)[] = [], more: { limit?: number; batch?: number } = {}) {
  const seen = { sizes: [] as number[], sent: 0, lost: 0, changes: [] as (string | undefined)[] };
  const made = new SpanExporter({
    post: (body) => {
      const { resourceSpans } = JSON.parse(new TextDecoder().decode(body));
      seen.sizes.push(resourceSpans[0].scopeSpans[0].spans.length);
      const answer = answers.shift() ?? 200;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    resource: {},
    version: "1",
    onSpans: (result, count) => {
      seen[result] += count;
      changes.changed();
    },
    onChange: (problem) => seen.changes.push(problem),
    pause: 5,
    ...more,
  });
  return { made, seen };
}

Deno.test("spans are sent in batches", async () => {
  const { made, seen } = exporter();
  for (let n = 0; n < 10; n++) made.add(span);
  await changes.until(() => seen.sent === 10);
  assert.deepEqual(seen.sizes, [10]);
  await made.close(100);
  assert.deepEqual([seen.lost, seen.changes], [0, []]);
});

for (const answer of [429, 502, 503, 504, new Error("refused")]) {
  Deno.test(`after ${answer} the same spans are sent again, and the failure is logged once`, async () => {
    const { made, seen } = exporter([answer, answer]);
    made.add(span);
    await changes.until(() => seen.sent === 1);
    await made.close(100);
    assert.deepEqual([seen.sizes, seen.lost], [[1, 1, 1], 0]);
    const problem = answer instanceof Error ? "refused" : `the collector responded ${answer}`;
    assert.deepEqual(seen.changes, [problem, undefined]);
  });
}

for (const answer of [400, 401, 404, 500]) {
  Deno.test(`after ${answer} the spans are dropped without a retry`, async () => {
    const { made, seen } = exporter([answer]);
    made.add(span);
    await changes.until(() => seen.lost === 1);
    await made.close(100);
    assert.deepEqual(seen.sizes, [1]);
  });
}

Deno.test("memory is bounded: spans beyond the limit are dropped and counted", async () => {
  const { made, seen } = exporter([], { limit: 4, batch: 3 });
  for (let n = 0; n < 10; n++) made.add(span);
  assert.equal(seen.lost, 6);
  await made.close(1_000);
  assert.deepEqual([seen.sizes, seen.sent], [[3, 1], 4]);
});

Deno.test("closing sends pending spans and does not wait for a hanging collector", async () => {
  let asked = 0;
  const lost: number[] = [];
  const made = new SpanExporter({
    post: () => (asked++, new Promise(() => {})),
    resource: {},
    version: "1",
    onSpans: (_, count) => lost.push(count),
    onChange: () => {},
  });
  made.add(span);
  // It comes back although the collector never answers.
  await made.close(50);
  assert.deepEqual([asked, lost], [1, [1]]);
  made.add(span);
  assert.deepEqual(lost, [1, 1]);
});

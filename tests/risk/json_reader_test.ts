import assert from "node:assert/strict";
import { type Keep, readSelected } from "../../src/risk/json_reader.ts";
import { anyText, fc } from "../support/property.ts";

const ample = { values: 1_000_000, characters: 10_000_000 };

function* cut(text: string, size: number): Generator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function read(text: string, keep: Keep, size = 64, limits = ample): unknown {
  return readSelected(cut(text, size), keep, limits);
}

/** A selection that keeps all of a value whose arrays hold one kind of item each. */
function keepAll(value: unknown): Keep {
  if (Array.isArray(value)) return { items: value.length === 0 ? "scalar" : keepAll(value[0]) };
  if (typeof value !== "object" || value === null) return "scalar";
  return { fields: new Map(Object.entries(value).map(([name, one]) => [name, keepAll(one)])) };
}

Deno.test("selected values equal those of JSON.parse for any block borders", () => {
  const scalar = fc.oneof(
    anyText,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  );
  const row = fc.record({ a: scalar, b: fc.array(scalar), c: fc.record({ d: scalar }) });
  fc.assert(fc.property(fc.array(row), fc.integer({ min: 1, max: 9 }), (rows, size) => {
    for (const text of [JSON.stringify(rows), JSON.stringify(rows, null, 2)]) {
      const found = read(text, keepAll([{ a: 1, b: [1], c: { d: 1 } }]), size);
      assert.deepEqual(found, JSON.parse(text));
    }
  }));
});

Deno.test("unselected values are skipped but still have to be valid JSON", () => {
  const text = '{"x":[{"y":[1,"\\u00e9\\"",null]}],"id":"A-1","id":"A-2","z":{"id":"no"}}';
  const keep: Keep = { fields: new Map([["id", "scalar"]]) };
  for (const size of [1, 3, 100]) assert.deepEqual(read(text, keep, size), { id: "A-2" });
  const wrong = [
    "",
    "{",
    "[1,]",
    '{"a":1,}',
    "[1 2]",
    "tru",
    "01",
    '"\\x"',
    '"a\nb"',
    "1 1",
    "{a:1}",
    '["a]',
    "-",
    "1.",
    '"\\u12g4"',
    "[1}",
    '{"id":"A-1","x":[1,}',
  ];
  for (const text of wrong) {
    assert.throws(() => JSON.parse(text));
    for (const size of [1, 4, 100]) {
      assert.throws(() => read(text, keep, size), /is not JSON: /, `${text} by ${size}`);
    }
  }
});

Deno.test("an object in place of a scalar is detected, and its content is not kept", () => {
  const keep: Keep = { fields: new Map([["a", "scalar"], ["b", "scalar"]]) };
  assert.deepEqual(read('{"a":[[1],2],"b":{"c":{}}}', keep), { a: [], b: {} });
  assert.deepEqual(read("[1]", keep), []);
});

Deno.test("depth, values and text have limits, and only what is kept counts", () => {
  const keep: Keep = { fields: new Map([["a", { items: "scalar" }]]) };
  assert.throws(() => read("[".repeat(1000), keep), /nested deeper than 100 levels/);
  assert.throws(() => read('{"x":'.repeat(1000), keep), /nested deeper than 100 levels/);
  const limits = { values: 100, characters: 100 };
  const many = `[${"{},".repeat(200)}{}]`;
  assert.throws(() => read(`{"a":${many}}`, keep, 64, limits), /holds more than 100 values/);
  assert.deepEqual(read(`{"b":${many}}`, keep, 64, limits), {});
  const long = JSON.stringify("x".repeat(200));
  assert.throws(() => read(`{"a":[${long}]}`, keep, 64, limits), /more than 100 characters/);
  assert.deepEqual(read(`{"b":${long}}`, keep, 64, limits), {});
});

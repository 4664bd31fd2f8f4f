import assert from "node:assert/strict";
import { array, integer, object, oneOf, record, text } from "../../src/bundle/json_shape.ts";

Deno.test("an array has a maximum length, and a fault names the index of its item", () => {
  const letters = array(text(/^[a-z]$/, "a letter"), 3);
  assert.deepEqual(letters(["a", "b", "c"], "list"), ["a", "b", "c"]);
  assert.throws(() => letters(["a", "b", "c", "d"], "list"), /has more than 3 items/);
  assert.throws(() => letters(["a", "1"], "list"), /is not a letter/);
  assert.throws(() => letters("abc", "list"), /is not an array/);
});

Deno.test("an integer is a number within its range, and a string is refused even if it compares as one", () => {
  const small = integer(1, 3);
  assert.deepEqual([1, 3].map((one) => small(one, "n")), [1, 3]);
  for (const other of [0, 4, "2", true, null]) {
    assert.throws(() => small(other, "n"), /is not an integer from 1 to 3/);
  }
});

Deno.test("an object has exactly its fields, and a fault is named by its path from the document", () => {
  const inner = object({ size: integer(1) }, { note: oneOf("a", "b") });
  const shape = object({ list: array(inner, 9) }, {});
  assert.deepEqual(shape({ list: [{ size: 1, note: "a" }] }, ""), {
    list: [{ size: 1, note: "a" }],
  });
  // deno-lint-ignore no-explicit-any -- invalid on purpose
  const faults: [any, string][] = [
    [null, "the document is not an object"],
    [[], "the document is not an object"],
    ["{}", "the document is not an object"],
    [undefined, "the document is not an object"],
    [{}, "list is missing"],
    [{ list: 1 }, "list is not an array"],
    [{ list: [], more: 1 }, "more is not known"],
    [{ list: [], toString: 1 }, "toString is not known"],
    [{ list: [{ size: 1 }, {}] }, "list[1].size is missing"],
    [{ list: [{ size: 0 }] }, "list[0].size is not an integer from 1 to 9007199254740991"],
    [{ list: [{ size: 1, note: "c" }] }, 'list[0].note is not "a" or "b"'],
    [{ list: [{ size: 1, "a b": 0 }] }, 'list[0]."a b" is not known'],
    [{ "\u001b": 0, list: [] }, '"\\u{1b}" is not known'],
  ];
  for (const [value, message] of faults) {
    assert.throws(() => shape(value, ""), { message }, message);
  }
});

Deno.test("a record has any keys, up to a maximum number, and none of them is special", () => {
  const shape = record(integer(0), 2);
  const read = shape(JSON.parse('{"__proto__":1,"b":2}'), "map");
  assert.deepEqual(Object.entries(read), [["__proto__", 1], ["b", 2]]);
  assert.throws(() => shape({ a: 1, b: 2, c: 3 }, "map"), /map has more than 2 keys/);
  assert.throws(() => shape({ a: "x" }, "map"), /map\.a is not an integer/);
  assert.throws(() => shape([], "map"), /map is not an object/);
});

import assert from "node:assert/strict";
import { array, integer, text } from "../../src/bundle/json_shape.ts";

Deno.test("an array has at most so many items, each of which is named by its place", () => {
  const letters = array(text(/^[a-z]$/, "a letter"), 3);
  assert.deepEqual(letters(["a", "b", "c"], "list"), ["a", "b", "c"]);
  assert.throws(() => letters(["a", "b", "c", "d"], "list"), /has more than 3 items/);
  assert.throws(() => letters(["a", "1"], "list"), /is not a letter/);
  assert.throws(() => letters("abc", "list"), /is not an array/);
});

Deno.test("an integer is a number, within its range, whatever a text would compare as", () => {
  const small = integer(1, 3);
  assert.deepEqual([1, 3].map((one) => small(one, "n")), [1, 3]);
  for (const other of [0, 4, "2", true, null]) {
    assert.throws(() => small(other, "n"), /is not an integer from 1 to 3/);
  }
});

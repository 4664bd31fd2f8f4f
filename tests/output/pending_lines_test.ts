/** Lines of the index are in the order of the files, whenever their digests arrive. */
import assert from "node:assert/strict";
import { PendingLines } from "../../src/export/pending_lines.ts";

function lines() {
  const emitted: string[] = [];
  const pending = new PendingLines(({ path }, sha256) => emitted.push(`${path}:${sha256}`));
  const add = (path: string) => pending.add({ path, source: 0 });
  return { emitted, pending, add };
}

Deno.test("a digest that is known at once is written at once if no earlier one is pending", () => {
  const { emitted, pending, add } = lines();
  add("a")("1");
  add("b");
  add("c")("3");
  assert.deepEqual(emitted, ["a:1"]);
  pending.digested(["2"]);
  assert.deepEqual(emitted, ["a:1", "b:2", "c:3"]);
});

Deno.test("digests of a chunk go to the first files that wait, past those that are known", () => {
  const { emitted, pending, add } = lines();
  add("a");
  const settle = add("b");
  pending.digested(["1"]);
  assert.deepEqual(emitted, ["a:1"], "b is still read by somebody else");
  settle("2");
  add("c");
  add("d")("4");
  add("e");
  pending.digested(["3", "5"]);
  assert.deepEqual(emitted, ["a:1", "b:2", "c:3", "d:4", "e:5"]);
});

Deno.test("a chunk without such files changes nothing", () => {
  const { emitted, pending, add } = lines();
  add("a");
  pending.digested([]);
  assert.deepEqual(emitted, []);
});

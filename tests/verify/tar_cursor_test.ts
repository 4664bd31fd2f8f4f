import assert from "node:assert/strict";
import { TarCursor } from "../../src/verify/tar_cursor.ts";

/** A cursor over pieces of one byte value each, of so many blocks; 0 stands for a piece that is missing. */
function cursorOver(...blocks: number[]): TarCursor {
  const pieces = blocks.map((count, i) => ({
    bytes: count === 0 ? undefined : new Uint8Array(count * 512).fill(i + 1),
  }));
  return new TarCursor(() => Promise.resolve(pieces.shift()));
}

Deno.test("what was read is given back within a piece, never across its start", async () => {
  const cursor = cursorOver(2, 1);
  await cursor.block();
  assert.equal(cursor.back(512), true);
  assert.equal((await cursor.block())![0], 1);
  await cursor.block();
  assert.equal((await cursor.block())![0], 2);
  assert.equal(cursor.back(1024), false);
  assert.equal(cursor.ready, 0, "a refused step back moves nothing");
});

Deno.test("at a gap nothing is read until whoever lost the place says so", async () => {
  const cursor = cursorOver(1, 0, 1);
  await cursor.block();
  assert.equal(await cursor.block(), undefined);
  assert.deepEqual([cursor.gap, cursor.ended], [true, false]);
  assert.equal(await cursor.load(), false, "the piece after the gap is not passed over");
  assert.equal(cursor.ready, 512);
  cursor.gap = false;
  assert.equal((await cursor.block())![0], 3);
  assert.equal(await cursor.block(), undefined);
  assert.deepEqual([cursor.gap, cursor.ended], [false, true]);
});

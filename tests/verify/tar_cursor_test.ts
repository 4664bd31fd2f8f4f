import assert from "node:assert/strict";
import { TarCursor } from "../../src/verify/tar_cursor.ts";

/**
 * A cursor over pieces of one byte value each, of so many blocks; 0 stands for a piece that is
 * missing.
 */
function cursorOver(...blocks: number[]): TarCursor {
  return lendingCursor(...blocks).cursor;
}

function lendingCursor(...blocks: number[]) {
  const lent: Promise<Uint8Array>[] = [];
  const returned: Uint8Array[] = [];
  const pieces = blocks.map((count, i) => ({
    bytes: count === 0 ? undefined : new Uint8Array(count * 512).fill(i + 1),
  }));
  const cursor = new TarCursor({
    next: () => Promise.resolve(pieces.shift()),
    transfer: (back) => Promise.resolve(void lent.push(back)),
    replace: (piece) => void returned.push(piece),
  });
  return { cursor, lent, returned };
}

/** Transfers bytes as a worker does: the original buffer is detached. */
function passing(bytes: Uint8Array): Promise<Uint8Array> {
  const { byteOffset, length } = bytes;
  const taken = (bytes.buffer as ArrayBuffer).transfer();
  return Promise.resolve(new Uint8Array(taken, byteOffset, length));
}

Deno.test("the cursor moves back within a piece, never across its start", async () => {
  const cursor = cursorOver(2, 1);
  await cursor.block();
  assert.equal(cursor.back(512), true);
  assert.equal((await cursor.block())![0], 1);
  await cursor.block();
  assert.equal((await cursor.block())![0], 2);
  assert.equal(cursor.back(1024), false);
  assert.equal(cursor.ready, 0, "a refused step back moves nothing");
});

Deno.test("nothing is read at a gap until the caller clears it", async () => {
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

Deno.test("a piece whose end is transferred is followed by the next one", async () => {
  const { cursor, lent } = lendingCursor(2, 1);
  await cursor.block();
  const seen: number[] = [];
  await cursor.transfer(Infinity, (span) => {
    seen.push(span.length, span[0]!);
    return passing(span);
  });
  assert.deepEqual([seen, cursor.ready, cursor.back(512)], [[512, 1], 0, false]);
  const [back] = await Promise.all(lent);
  assert.deepEqual([lent.length, back!.buffer.byteLength, back!.byteOffset], [1, 1024, 512]);
  assert.equal((await cursor.block())![0], 2);
});

Deno.test("a partly transferred piece continues after that part when it has returned", async () => {
  const { cursor, lent, returned } = lendingCursor(3);
  await cursor.block();
  await cursor.transfer(512, passing);
  assert.deepEqual([lent.length, cursor.ready], [0, 512]);
  assert.deepEqual(returned.map(({ length, byteOffset }) => [length, byteOffset]), [[1536, 0]]);
  assert.equal(cursor.back(1024), true);
  assert.deepEqual([await cursor.block(), cursor.ready], [new Uint8Array(512).fill(1), 1024]);
});

Deno.test("failed work makes the cursor fail", async () => {
  const { cursor } = lendingCursor(2);
  await cursor.load();
  await assert.rejects(
    cursor.transfer(512, () => Promise.reject(new Error("no worker"))),
    /no worker/,
  );
});

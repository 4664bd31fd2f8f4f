import assert from "node:assert/strict";
import { ascendingIds, timeOf, uuidV7 } from "../../src/domain/uuid.ts";

Deno.test("the UUID of RFC 9562 appendix A.6 is reproduced", () => {
  // unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F; version and variant
  // overwrite the random bits.
  const random = Uint8Array.fromHex("0cc318c4dc0c0c07398f");
  assert.equal(uuidV7(0x017f22e279b0, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

Deno.test("later ids sort after earlier ones, and version and variant are correct for all random bits", () => {
  const ids = [0, 1, 255, 2 ** 32 - 1, 2 ** 32, 1_767_225_600_000]
    .map((now) => uuidV7(now, new Uint8Array(10).fill(0xff)));
  assert.deepEqual([...ids].sort(), ids);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7fff-bfff-f{12}$/);
});

Deno.test("ids ascend within a millisecond, after the clock is set back, and after a restart", () => {
  let at = 1_767_225_600_000;
  const options = { now: () => at, random: (bytes: Uint8Array) => crypto.getRandomValues(bytes) };
  const first = ascendingIds(options);
  const ids = [first(), first()];
  for (const step of [86_400_000, -86_400_000, 315_576_000_000, -631_152_000_000, 0]) {
    at += step;
    ids.push(first(), first());
  }
  const again = ascendingIds({ ...options, after: ids.at(-1) });
  ids.push(again(), again());
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(timeOf(ids[0]!), 1_767_225_600_000);
});

import assert from "node:assert/strict";
import { FairLimiter } from "../../src/jobs/fair_limiter.ts";

/** Acquires places for a party until it is refused. @returns how many it got */
function fill(shares: FairLimiter, party: string): number {
  let count = 0;
  while (shares.acquire(party) !== undefined) count++;
  return count;
}

Deno.test("a single party can take all places", () => {
  assert.equal(fill(new FairLimiter(64, 1), "a"), 64);
});

Deno.test("with several parties one can take half, and each other one gets its share", () => {
  for (const parties of [2, 3, 5, 33]) {
    const shares = new FairLimiter(64, parties);
    assert.equal(fill(shares, "flood-0"), 32, `${parties}`);
    const share = Math.floor(32 / (parties - 1));
    // All but the last one take what they can get.
    for (let n = 1; n < parties - 1; n++) assert.equal(fill(shares, `flood-${n}`), share);
    assert.equal(fill(shares, "last"), share);
  }
});

Deno.test("every party gets its share for any order of turns", () => {
  const shares = new FairLimiter(64, 4);
  let taking = ["a", "b", "c"];
  while (taking.length > 0) taking = taking.filter((one) => shares.acquire(one) !== undefined);
  assert.equal(fill(shares, "d"), 10);
});

Deno.test("a place is released only once", () => {
  const shares = new FairLimiter(2, 1);
  const [first, second] = [shares.acquire("a")!, shares.acquire("b")!];
  assert.equal(shares.acquire("a"), undefined);
  first();
  first();
  assert.ok(shares.acquire("c"));
  assert.equal(shares.acquire("c"), undefined);
  second();
  assert.ok(shares.acquire("c"));
});

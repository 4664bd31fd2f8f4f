/** What a tally keeps of what was left out. */
import assert from "node:assert/strict";
import { Tally } from "../../src/risk/tally.ts";

Deno.test("a truncated list of faults is marked as truncated in every answer", () => {
  const tally = new Tally({ kind: "epss", name: "epss", path: "/data", onInvalid: "skip" });
  for (let line = 1; line <= 100_005; line++) {
    tally.reject({ path: "e.csv", line }, "bad", ["CVE-1"]);
  }
  assert.equal(tally.counts.rejected, 100_005);
  assert.equal(tally.leftOut.length, 100_001);
  const last = tally.leftOut.at(-1);
  assert.match(last?.reason ?? "", /^more records were left out than the 100000 faults/);
  assert.equal(last?.ids, undefined);
});

import assert from "node:assert/strict";
import { clockSane } from "../../src/http/checks.ts";

Deno.test("a clock that was set back or is before the build is a counted warning", async () => {
  let [now, elapsed, back] = [Date.parse("2026-01-02T00:00:00Z"), 0, 0];
  const check = clockSane({
    now: () => now,
    elapsed: () => elapsed,
    buildDate: "2026-01-01T00:00:00Z",
    onSetBack: () => back++,
  });
  const after = async (clock: number, seconds: number) => {
    [now, elapsed] = [now + clock * 1000, elapsed + seconds * 1000];
    return await check.run(new AbortController().signal);
  };
  assert.deepEqual(await after(0, 0), { status: "pass" });
  assert.deepEqual(await after(10, 10), { status: "pass" });
  assert.deepEqual(await after(9.5, 10), { status: "pass" }, "a clock that is steered");
  assert.deepEqual(await after(86_400, 10), { status: "pass" }, "forward is no harm");
  assert.match((await after(-50, 10)).output ?? "", /set back by 60 s/);
  assert.deepEqual([await after(10, 10), back], [{ status: "pass" }, 1]);
  assert.match((await after(-9 * 86_400, 10)).output ?? "", /set back/);
  assert.match((await after(10, 10)).output ?? "", /before this build's date/);
});

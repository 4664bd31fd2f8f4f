/** Rollback, fork and jump: comparing the sequence of a bundle with the known ones. */
import assert from "node:assert/strict";
import { checkSequence, maxJump } from "../../../src/attest/trust/sequence_check.ts";

const [one, other] = ["1".repeat(64), "2".repeat(64)] as [string, string];

function judge(
  sequence: number | undefined,
  known: { sequence: number; state?: string }[],
  accepted?: number | "none",
) {
  const numbered = sequence === undefined ? {} : { sequence };
  const { findings, rollback } = checkSequence(
    { profile: "p", state: one, ...numbered },
    known,
    accepted,
  );
  return { reasons: findings.map(({ reason }) => reason), rollback };
}

Deno.test("the same bundle and a newer one are accepted, and an older one is a rollback", () => {
  const known = [{ sequence: 42, state: one }];
  const rollback = { judged: true, lastSequence: 42 };
  assert.deepEqual(judge(42, known), { reasons: [], rollback });
  assert.deepEqual(judge(43, known), { reasons: [], rollback });
  assert.deepEqual(judge(41, known), { reasons: ["rollback"], rollback });
});

Deno.test("the same sequence with another state is a fork, which --accept-sequence does not permit", () => {
  const known = [{ sequence: 42, state: other }];
  assert.deepEqual(judge(42, known).reasons, ["fork"]);
  assert.deepEqual(judge(42, known, 42).reasons, ["fork"]);
  assert.deepEqual(judge(42, [{ sequence: 50, state: one }, ...known], 42).reasons, ["fork"]);
});

Deno.test("without a known sequence there is no rollback check", () => {
  assert.deepEqual(judge(7, []), { reasons: [], rollback: { judged: false } });
  assert.deepEqual(judge(undefined, []), { reasons: [], rollback: { judged: false } });
});

Deno.test("a bundle is compared with the largest of several known sequences", () => {
  assert.deepEqual(judge(41, [{ sequence: 40 }, { sequence: 42 }, { sequence: 3 }]).reasons, [
    "rollback",
  ]);
});

Deno.test("a known sequence without a state does not reveal a fork", () => {
  assert.deepEqual(judge(42, [{ sequence: 42 }]).reasons, []);
});

Deno.test("a bundle without a sequence counts as older than any bundle with one", () => {
  assert.deepEqual(judge(undefined, [{ sequence: 1 }]).reasons, ["rollback"]);
  const { reasons, rollback } = judge(undefined, [{ sequence: 1 }], "none");
  assert.deepEqual([reasons, rollback.accepted], [[], true]);
});

Deno.test("a jump beyond the limit is refused unless --accept-sequence permits it", () => {
  const known = [{ sequence: 5 }];
  assert.deepEqual(judge(5 + maxJump, known).reasons, []);
  assert.deepEqual(judge(6 + maxJump, known).reasons, ["sequence_jump"]);
  assert.deepEqual(judge(Number.MAX_SAFE_INTEGER, known).reasons, ["sequence_jump"]);
  assert.equal(judge(6 + maxJump, known, 6 + maxJump).rollback.accepted, true);
});

Deno.test("only the named sequence is accepted, and `accepted` is reported only where it was needed", () => {
  const known = [{ sequence: 42 }];
  assert.deepEqual(judge(41, known, 41), {
    reasons: [],
    rollback: { judged: true, lastSequence: 42, accepted: true },
  });
  assert.deepEqual(judge(40, known, 41).reasons, ["rollback"]);
  assert.deepEqual(judge(43, known, 41).reasons, ["rollback"]);
  assert.deepEqual(judge(undefined, known, 41).reasons, ["rollback"]);
  assert.deepEqual(judge(41, [], "none").reasons, ["rollback"]);
  assert.equal(judge(43, known, 43).rollback.accepted, undefined);
});

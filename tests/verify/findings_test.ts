import assert from "node:assert/strict";
import type { ErrorKind, Finding } from "../../src/domain/errors.ts";
import { Findings } from "../../src/bundle/finding_list.ts";
import { computeVerdict } from "../../src/verify/verdict.ts";
import { makeBundle } from "../support/bundle_fixture.ts";
import { verifyInMemory } from "../support/outcome.ts";

const finding = (kind: ErrorKind): Finding => ({ kind, reason: "other" });

function judgeCodes(codes: ErrorKind[], integrityOnly = false) {
  const { ok, code, verdict } = computeVerdict(codes.map(finding), integrityOnly);
  return [ok, code, verdict];
}

Deno.test("the exit code is the first of 3 4 11 9 8 7 10 6 5 that was found", () => {
  const order: [ErrorKind, number][] = [
    ["manifest", 3],
    ["signature", 4],
    ["rollback", 11],
    ["unsafe", 9],
    ["unexpected", 8],
    ["differs", 7],
    ["truncated", 10],
    ["missing", 6],
    ["untrusted", 5],
  ];
  order.forEach(([code, exit], i) => {
    const weaker = order.slice(i).map(([one]) => one).reverse();
    assert.deepEqual(judgeCodes(weaker), [false, exit, "refused"], code);
  });
  assert.deepEqual(judgeCodes([]), [true, 0, "verified"]);
  assert.deepEqual(
    judgeCodes(["defect"]),
    [false, 1, "refused"],
    "what has no place fails closed",
  );
});

Deno.test("integrity-only ignores an untrusted signer and nothing else", () => {
  assert.deepEqual(judgeCodes(["untrusted"], true), [true, 0, "integrity-only"]);
  assert.deepEqual(judgeCodes([], true), [true, 0, "integrity-only"]);
  for (
    const code of ["manifest", "signature", "unsafe", "differs", "missing", "rollback"] as const
  ) {
    assert.deepEqual(judgeCodes(["untrusted", code], true).slice(0, 1), [false], code);
  }
});

Deno.test("10,000 findings are listed; the others count for the total and the exit code", () => {
  const findings = new Findings();
  assert.ok(findings.none);
  for (let i = 0; i < 10_005; i++) findings.add(finding("missing"));
  findings.add(finding("unsafe"));
  const all = findings.all();
  assert.equal(all.length, 10_002);
  assert.deepEqual(all.slice(-2).map((f) => [f.kind, f.reason, f.found]), [
    ["missing", "more_findings", "5 more findings of this kind are not listed"],
    ["unsafe", "more_findings", "1 more findings of this kind are not listed"],
  ]);
  assert.equal(
    computeVerdict(all, false).code,
    9,
    "the weightiest counts although it is not listed",
  );
});

Deno.test("findings are copied with another reason and kind, unlisted ones too", () => {
  const inner = new Findings();
  for (let i = 0; i < 10_002; i++) inner.add(finding("unexpected"));
  const outer = new Findings();
  outer.add(finding("untrusted"));
  outer.take(inner, ["unexpected"], "digest_mismatch");
  const all = outer.all();
  assert.deepEqual([all[0]!.kind, all[1]!.kind], ["untrusted", "differs"]);
  assert.equal(all[1]!.reason, "digest_mismatch");
  assert.deepEqual(all.at(-1), {
    kind: "differs",
    reason: "more_findings",
    found: "3 more findings of this kind are not listed",
  });
  assert.equal(inner.all()[0]!.kind, "unexpected", "what was taken over is not changed");
});

Deno.test("a bundle with more wrong files than are listed says so, and keeps its exit code", async () => {
  const entries = Array.from(
    { length: 10_100 },
    (_, i) => ({ path: `f${100_000 + i}`, content: "x" }),
  );
  const made = makeBundle({ entries, layout: "directory" });
  const files = new Map([...made.files].filter(([path]) => !path.startsWith("payload/f1")));
  files.set("payload/zzz", new Uint8Array(0));
  const { code, verdict } = await verifyInMemory({ ...made, files });
  assert.equal(code, 8, "the foreign file is found after all the missing ones");
  assert.equal(verdict!.findings.length, 10_002);
  assert.deepEqual(verdict!.findings.slice(-2).map((f) => `${f.kind} ${f.found}`), [
    "missing 100 more findings of this kind are not listed",
    "unexpected 1 more findings of this kind are not listed",
  ]);
});

/** Answers about risk for a person: what nobody could know is not told as "no". */
import assert from "node:assert/strict";
import { answerText } from "../../src/cli/risk_text.ts";
import type { AskedProvider, LeftOutLine } from "../../src/risk/query.ts";

const answer = {
  ...{ id: "CVE-2025-0001", aliases: [], kev: null, epss: null, affected: [], vex: [] },
  sources: [{ provider: "osv", record: "GO-1" }],
};
const asked = (kind: string): AskedProvider => ({
  ...{ name: kind, kind, asOf: "2025-01-01T00:00:00Z", records: 1, rejected: 0, badIds: 0 },
});
const providers = ["kev", "osv", "epss"].map(asked);
const lines = (count: number, provider: string): LeftOutLine[] =>
  Array.from({ length: count }, (_, i) => ({ provider, path: `${i}.json`, reason: "bad" }));

Deno.test("a CVE is called unexploited only where nothing of KEV is missing", () => {
  const exploited = (count: number, first: LeftOutLine[]) =>
    /exploited +(.*)\n/.exec(answerText(answer, { providers, leftOut: { count, first } }))?.[1];
  assert.equal(exploited(0, []), "not known to be");
  assert.equal(exploited(20, lines(20, "osv")), "not known to be");
  assert.equal(exploited(1, lines(1, "kev")), "unknown: see what was left out");
  assert.equal(
    exploited(21, lines(20, "osv")),
    "unknown: see what was left out",
    "one is not here",
  );
});

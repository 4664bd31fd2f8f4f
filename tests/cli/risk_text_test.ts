/** Risk answers as text: unknown is not shown as "no". */
import assert from "node:assert/strict";
import { answerText } from "../../src/cli/risk_text.ts";
import type { AskedProvider, LeftOutLine } from "../../src/risk/query.ts";

const answer = {
  ...{ id: "CVE-2025-0001", aliases: [], kev: null, epss: null, affected: [], vex: [] },
  sources: [{ provider: "osv", record: "GO-1" }],
};
const asked = (kind: AskedProvider["kind"]): AskedProvider => ({
  ...{ name: kind, kind, asOf: "2025-01-01T00:00:00Z", records: 1, rejected: 0, badIds: 0 },
});
const providers = (["kev", "osv", "epss"] as const).map(asked);
const lines = (count: number, provider: string): LeftOutLine[] =>
  Array.from({ length: count }, (_, i) => ({ provider, path: `${i}.json`, reason: "bad" }));

Deno.test("a CVE is called unexploited only if the KEV data is complete", () => {
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

Deno.test("a package with listed versions is shown with the first of them", () => {
  const affected = (more: Record<string, unknown>) => {
    const one = { record: "PYSEC-1", ecosystem: "PyPI", name: "x", ranges: [], ...more };
    const text = answerText({ ...answer, affected: [one] }, {
      providers,
      leftOut: { count: 0, first: [] },
    });
    return /affected +(.*)\n/.exec(text)?.[1];
  };
  assert.equal(affected({}), "PyPI x");
  assert.equal(affected({ versions: ["1.0", "1.1"] }), "PyPI x versions 1.0, 1.1");
  const many = ["1", "2", "3", "4", "5", "6", "7"];
  assert.equal(affected({ versions: many }), "PyPI x versions 1, 2, 3, 4, 5 and 2 more");
  const ranges = [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.2" }] }];
  assert.equal(affected({ versions: many, ranges }), "PyPI x introduced 0, fixed 1.2");
  assert.equal(
    affected({ versions: ["1"], ranges: [{ ...ranges[0], type: "GIT" }] }),
    "PyPI x introduced 0, fixed 1.2, versions 1",
  );
});

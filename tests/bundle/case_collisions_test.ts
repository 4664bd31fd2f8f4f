import assert from "node:assert/strict";
import { folded } from "../../src/domain/paths.ts";
import { caseCollisions } from "../../src/bundle/case_collisions.ts";
import { always, fc } from "../support/property.ts";

const part = fc.constantFrom("a", "A", "b", "\u00e9", "\u00c9", "ss", "\u00df", "1", "\u2160", "i");
const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(""));

Deno.test("property: collisions are those that a map of folded names finds", () => {
  always(
    fc.property(fc.array(name, { maxLength: 12 }), (names) => {
      const seen = new Map<string, string>();
      const expected: [string, string][] = [];
      for (const one of names) {
        const first = seen.get(folded(one));
        if (first !== undefined) expected.push([one, first]);
        else seen.set(folded(one), one);
      }
      assert.deepEqual(caseCollisions(names), expected);
    }),
    500,
  );
});

Deno.test("one colliding pair is found among a hundred thousand names", () => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `CVE-${2000 + i % 26}-${i}.json`);
  assert.deepEqual(caseCollisions(keys), []);
  keys[99_000] = keys[7]!.toLowerCase();
  assert.deepEqual(caseCollisions(keys), [[keys[99_000], keys[7]]]);
});

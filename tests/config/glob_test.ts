/** Globs match what minimatch (node's path.matchesGlob) matches, in bounded time. */
import assert from "node:assert/strict";
import { matchesGlob } from "node:path";
import { globFault, globMatcher } from "../../src/config/glob.ts";
import { isLong } from "../support/needs.ts";
import { always, fc } from "../support/property.ts";
import { computed } from "../support/timing.ts";

const glob = fc.array(
  fc.constantFrom(
    ..."ab/*?",
    "**",
    "/**/",
    "{a,b}",
    "{a,b/c}",
    "[ab]",
    "[!a]",
    "[a-c]",
    "@(a|bc)",
    "*(ab|c)",
    "+(a|b)",
    "?(c)",
    "{1..3}",
    ".json",
  ),
  { minLength: 1, maxLength: 6 },
).map((parts) => parts.join("").replace(/\/+/g, "/").replace(/^\/|\/$/g, ""))
  .filter((text) => globFault(text) === undefined);
const path = fc.array(
  fc.constantFrom("a", "b", "ab", "abc", "bc", "a.json", "c1", "2", "aab"),
  { minLength: 1, maxLength: 4 },
).map((parts) => parts.join("/"));

Deno.test("property: globs match what minimatch matches", () => {
  let matched = 0;
  always(
    fc.property(glob, path, (pattern, text) => {
      const expected = matchesGlob(text, pattern);
      assert.equal(globMatcher(pattern)(text), expected, `${pattern} ${text}`);
      if (expected) matched++;
    }),
    isLong ? 20_000 : 3_000,
  );
  assert.ok(matched > 100, "some of them match");
});

Deno.test("each form of a glob matches as documented, and hidden names match like any other", () => {
  const cases: [string, string[], string[]][] = [
    ["*", ["a", ".a"], ["a/b"]],
    ["**", ["a", "a/b", ".a/.b"], []],
    ["a/**", ["a/b", "a/.b/c"], ["a", "b/a"]],
    ["**/a", ["a", "b/a", ".c/d/a"], ["ab", "a/b"]],
    ["a/**/b", ["a/b", "a/c/b", "a/.c/d/b"], ["a", "ab"]],
    ["a**b", ["ab", "acb"], ["a/b"]],
    ["!(a|b)", ["c", "ab", ".x"], ["a", "b"]],
    ["!(*.json)", ["a.txt"], ["a.json"]],
    ["{a,b{c,d}}.js", ["a.js", "bc.js", "bd.js"], ["b.js"]],
    ["{a}", ["{a}"], ["a"]],
    ["{08..10}", ["08", "09", "10"], ["8"]],
    ["[[:digit:]]x", ["1x"], ["ax"]],
    ["[a", ["[a"], ["a"]],
    ["[]a]", ["]", "a"], ["b"]],
    ["a-]", ["a-]"], []],
  ];
  for (const [pattern, yes, no] of cases) {
    const matches = globMatcher(pattern);
    for (const one of yes) assert.ok(matches(one), `${pattern} takes ${one}`);
    for (const one of no) assert.ok(!matches(one), `${pattern} does not take ${one}`);
  }
});

Deno.test("matching a hostile name takes no longer than a harmless one of the same length", async () => {
  const patterns = [
    "*-*-*-*.json",
    "{a,b,*-*-*-*-*}",
    "*a*a*a*a*a*a*a*a*a*b",
    "+(a|aa|+(a))x",
    "*(*(*(a)))x",
    "!(!(!(a*)*)*)x",
    "**/*-*/**/*-*/**/*-*/**/x",
  ];
  const names = ["-".repeat(255), "a".repeat(255), "-/".repeat(120) + "-"];
  const spent = await computed(() => {
    for (const pattern of patterns) {
      assert.equal(globFault(pattern), undefined);
      const matches = globMatcher(pattern);
      for (const name of names) for (let i = 0; i < 3; i++) matches(name);
    }
  });
  // minimatch takes seconds for one of them.
  assert.ok(spent < 5_000, `${spent} ms`);
});

Deno.test("globs with too many alternatives in braces are refused", () => {
  assert.match(globFault("{a,b}".repeat(12)) ?? "", /more than 1000 alternatives/);
  assert.match(globFault("{1..5000}") ?? "", /more than 1000 alternatives/);
  assert.equal(globFault("{a,b}".repeat(9)), undefined);
});

import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import { checkName, escaped, isName, printableJson, shown } from "../../src/domain/names.ts";
import { always, anyText, fc } from "../support/property.ts";

Deno.test("isName accepts names of profiles and tenants, and no others", () => {
  for (const name of ["a", "0", "a-b", "a.b_c-d", "9lives", "a".repeat(64)]) {
    assert.ok(isName(name), name);
  }
  const refused = [
    "",
    "A",
    "a ",
    " a",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a..b",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "%2e%2e",
    "a\0",
    "a\n",
    "__proto__",
    "\u0430",
    "a".repeat(65),
    "a".repeat(300),
  ];
  for (const name of refused) assert.ok(!isName(name), JSON.stringify(name));
});

Deno.test("the error of checkName has the name and the permitted form", () => {
  assert.equal(checkName("tenant", "default"), "default");
  assert.throws(() => checkName("profile", "\u001b[2Jx"), (error) => {
    assert.ok(error instanceof StellaError);
    assert.equal(error.kind, "usage");
    assert.equal(error.message, 'Cannot use the profile name "\\u{1b}[2Jx": not a valid name');
    assert.match(error.hint ?? "", /1 to 64/);
    return true;
  });
});

Deno.test("escaped: no character that moves the cursor or hides or reverses text reaches a terminal", () => {
  const dangerous = [
    "\u001b[2J",
    "\u001b]0;title\u0007",
    "\u009b31m",
    "\r\n",
    "\b\b",
    "\u007f",
    "\u00ad",
    "\u061c",
    "\u200b",
    "\u200f",
    "\u2028",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ud800",
    "\u{e0041}",
  ];
  for (const text of dangerous) {
    assert.doesNotMatch(escaped(text), /[\p{Cc}\p{Cf}\p{Cs}\u2028]/u);
  }
  assert.equal(escaped("a\u001b[0m\u202eb"), "a\\u{1b}[0m\\u{202e}b");
  assert.equal(
    escaped("\u00e9t\u00e9 \u4e2d\u6587 \u{1f600}"),
    "\u00e9t\u00e9 \u4e2d\u6587 \u{1f600}",
  );
});

Deno.test("shown quotes, escapes and truncates text", () => {
  assert.equal(shown("a b"), '"a b"');
  assert.equal(shown("x".repeat(120)), `"${"x".repeat(120)}"`);
  assert.equal(shown("x".repeat(121)), `"${"x".repeat(117)}..."`);
  assert.ok(shown("\u{1f600}".repeat(1_000_000)).length < 200);
});

Deno.test("property: shown text is printable and well-formed", () => {
  always(
    fc.property(anyText, (text) => {
      assert.ok(shown(text + "\ud800").isWellFormed());
      assert.doesNotMatch(escaped(text), /[\p{Cc}\u200b-\u200f\u2028-\u202e]/u);
    }),
    500,
  );
});

Deno.test("printableJson is the same JSON without characters that move the cursor or hide text", () => {
  const value = { "a\u202eb": ["\u009b31m", "\u{e0041}", "plain \u00e9 \u{1f600}", "\ud800"] };
  const text = printableJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.equal(
    text,
    '{"a\\u202eb":["\\u009b31m","\\udb40\\udc41","plain \u00e9 \u{1f600}","\\ud800"]}',
  );
});

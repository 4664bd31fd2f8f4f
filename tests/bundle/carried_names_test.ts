/** Names that are not allowed in payload paths are encoded to allowed names and decoded again. */
import assert from "node:assert/strict";
import { carriedName, carriedPath } from "../../src/bundle/carried_names.ts";
import { pathFault } from "../../src/domain/paths.ts";
import { always, fc } from "../support/property.ts";

const rows: [about: string, name: string, carried: string][] = [
  ["an allowed name stays", "a b.json", "a b.json"],
  ["a percent sign and what Windows refuses", 'a%b:c*"', "a%25b%3Ac%2A%22"],
  ["a dot or a blank at the end", "name. ", "name.%20"],
  ["a control character", "a\u0007b", "a%07b"],
  ["a device name", "nul", "%6Eul"],
  ["a letter that Unicode forms disagree about", "\u212a", "%E2%84%AA"],
];

Deno.test("only the refused parts of a name are encoded", () => {
  for (const [about, name, carried] of rows) {
    assert.equal(carriedName(name), carried, about);
    assert.equal(pathFault(carried), undefined, about);
  }
  assert.equal(carriedPath("a:b/nul"), "a%3Ab/%6Eul");
});

Deno.test("property: every name that can be opened is encoded to an allowed name and decodes to itself", () => {
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 20 })
    .filter((one) => !/[/\0\ufffd]/.test(one) && one.isWellFormed() && one !== "-");
  always(
    fc.property(name, (one) => {
      const carried = carriedName(one);
      assert.equal(decodeURIComponent(carried), one);
      assert.equal(pathFault(carried), undefined, carried);
    }),
    500,
  );
});

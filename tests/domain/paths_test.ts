import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { comparePaths, folded, pathFault } from "../../src/domain/paths.ts";
import { always, anyText, fc } from "../support/property.ts";

const control = "control character";
const refused: [string, string][] = [
  ["", "empty"],
  ["-", "standard input"],
  ["/", "absolute"],
  ["/etc/passwd", "absolute"],
  ["//server/share", "absolute"],
  ["..", "the part .."],
  ["../x", "the part .."],
  ["a/..", "the part .."],
  ["a/../b", "the part .."],
  ["../../../../../../../../etc/passwd", "the part .."],
  [".", "the part ."],
  ["./a", "the part ."],
  ["a/./b", "the part ."],
  ["a/.", "the part ."],
  ["a//b", "an empty part"],
  ["a/", "an empty part"],
  ["a\\b", "the character \\"],
  ["..\\x", "the character \\"],
  ["\\\\server\\share", "the character \\"],
  ["C:", "the character :"],
  ["C:\\x", "the character"],
  ["C:/x", "the character :"],
  ["file:stream", "the character :"],
  ["a*", "the character *"],
  ["a?", "the character ?"],
  ['a"b', 'the character "'],
  ["<a", "the character <"],
  ["a>", "the character >"],
  ["a|b", "the character |"],
  ["con", "Windows device"],
  ["CON", "Windows device"],
  ["nul", "Windows device"],
  ["NUL.txt", "Windows device"],
  ["nul.tar.gz", "Windows device"],
  ["nul .txt", "Windows device"],
  ["aux", "Windows device"],
  ["a/prn/b", "Windows device"],
  ["Com1", "Windows device"],
  ["lpt9.log", "Windows device"],
  ["com\u00b9", "Windows device"],
  ["LPT\u00b3", "Windows device"],
  ["CONIN$", "Windows device"],
  ["conout$", "Windows device"],
  ["a.", "ends with a dot or a space"],
  ["a ", "ends with a dot or a space"],
  ["a./b", "ends with a dot or a space"],
  ["a /b", "ends with a dot or a space"],
  ["...", "ends with a dot or a space"],
  [". .", "ends with a dot or a space"],
  ["a\0b", control],
  ["a\nb", control],
  ["a\rb", control],
  ["a\tb", control],
  ["\u001b[31m", control],
  ["\u009b31m", control],
  ["a\u007f", control],
  ["gpj.\u202eexe", control],
  ["\u2066a", control],
  ["a\u200eb", control],
  ["a\u2028b", control],
  ["\ufeffa", control],
  ["a\ufffdb", control],
  ["a\ud800", control],
  ["a\u{e0041}", control],
  ["e\u0301", "NFC"],
  ["\u212b", "NFC"],
  ["a/\u1100\u1161", "NFC"],
  ["x".repeat(256), "longer than 255"],
  ["\u00e9".repeat(128), "longer than 255"],
  [`${"a/".repeat(2047)}bc`, "longer than 4095"],
];

Deno.test("pathFault refuses paths that some system cannot store or some tool cannot check", () => {
  for (const [path, reason] of refused) {
    const fault = pathFault(path);
    assert.ok(fault?.includes(reason), `${JSON.stringify(path)}: ${fault}`);
  }
});

const accepted = [
  "a",
  ".hidden",
  "..hidden",
  "a..b",
  "a...b",
  "-rf",
  "--help",
  "a/-",
  "-/a",
  " a",
  "a b",
  "~",
  "~root",
  "$HOME",
  "$(id)",
  "`id`",
  "%2e%2e",
  "%00",
  "#a",
  "a;b",
  "a&b",
  "a'b",
  "(a)",
  "[a]",
  "{a}",
  "a=b",
  "a,b",
  "a@b",
  "a!b",
  "a^b",
  "__proto__",
  "constructor",
  "console",
  "nulls",
  "com",
  "com10",
  "com1x",
  "auxiliary.txt",
  "\u00e9",
  "\ufb01",
  "\u0130\u0131",
  "\u4e2d\u6587/\u65e5\u672c",
  "\u{1f600}",
  "a\u200db",
  "x".repeat(255),
  "\u00e9".repeat(127),
  `${"a/".repeat(2047)}b`,
  "manifest.json",
];

Deno.test("pathFault accepts unusual names that every system can store", () => {
  for (const path of accepted) assert.equal(pathFault(path), undefined, JSON.stringify(path));
});

Deno.test("comparePaths sorts by UTF-8 bytes", () => {
  assert.ok("\u{1f600}" < "\ufb01", "JavaScript's own order differs");
  assert.equal(comparePaths("\u{1f600}", "\ufb01"), 1);
  assert.equal(comparePaths("a-b", "a/x"), -1);
  assert.equal(comparePaths("a", "a"), 0);
  assert.equal(comparePaths("a", "a/b"), -1);
  always(fc.property(anyText, anyText, (a, b) => {
    assert.equal(comparePaths(a, b), Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }));
});

Deno.test("folded: names that collide on a case-insensitive or normalizing file system are equal", () => {
  const collisions = [
    ["readme", "README"],
    ["\u00e9", "\u00c9"],
    ["stra\u00dfe", "STRASSE"],
    ["\u03c3", "\u03c2"],
    ["\u212a", "k"],
    ["\ufb01", "fi"],
    ["\u01c6", "\u01c5"],
    ["\uff21", "a"],
  ];
  for (const [a, b] of collisions) assert.equal(folded(a!), folded(b!), `${a} ${b}`);
  for (const [a, b] of [["a", "b"], ["a", "\u00e4"], ["1", "l"]]) {
    assert.notEqual(folded(a!), folded(b!), `${a} ${b}`);
  }
});

Deno.test("property: no accepted path escapes the directory that it is joined to", () => {
  const piece = fc.oneof(anyText, fc.constantFrom("..", ".", "/", "\\", "a"));
  const accepted = fc.array(piece).map((pieces) => pieces.join("/"))
    .filter((path) => pathFault(path) === undefined);
  always(
    fc.property(accepted, (path) => {
      const url = new URL(path.split("/").map(encodeURIComponent).join("/"), "file:///root/");
      assert.ok(url.pathname.startsWith("/root/"));
      assert.equal(path, path.normalize("NFC"));
      assert.equal(Buffer.from(path).toString(), path);
    }),
    300,
  );
});

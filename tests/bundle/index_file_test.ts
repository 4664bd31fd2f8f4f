import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  encodeIndexLine,
  type IndexEntry,
  IndexFault,
  IndexParser,
} from "../../src/bundle/index_file.ts";
import { comparePaths } from "../../src/domain/paths.ts";
import { always, fc } from "../support/property.ts";

const digest = "0123456789abcdef".repeat(4);

/** Feeds `blocks` in order. */
function parse(blocks: Uint8Array[]): IndexEntry[] {
  const parser = new IndexParser();
  const entries: IndexEntry[] = [];
  for (const block of blocks) {
    parser.push(block);
    for (let e = parser.next(); e !== undefined; e = parser.next()) entries.push(e);
  }
  parser.end();
  return entries;
}

function lines(...paths: string[]): string {
  return paths.map((path) => encodeIndexLine({ path, sha256: digest })).join("");
}

Deno.test("the index is parsed the same way however its bytes are split", () => {
  const paths = ["-a", "a", "a-b", "b/\u00e9", "b/\ufb01", "b/\u{1f600}", "z"];
  const bytes = Buffer.from(lines(...paths));
  const expected = paths.map((path) => ({ path, sha256: digest }));
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut ${cut}`);
  }
  assert.deepEqual(parse([...bytes].map((byte) => Uint8Array.of(byte))), expected);
  assert.deepEqual(parse([]), []);
});

Deno.test("an entry stays valid after its block is reused", () => {
  const parser = new IndexParser();
  const block = Buffer.from(lines("first"));
  parser.push(block);
  const entry = parser.next();
  block.fill(0);
  assert.deepEqual(entry, { path: "first", sha256: digest });
  parser.push(Buffer.from(lines("second")));
  assert.equal(parser.next()?.path, "second");
});

const form = "is not <64 hex digits>";
const order = "not after the one before it";
const faults: [string, string | Uint8Array, number, string, boolean][] = [
  ["no line feed", lines("a").trimEnd(), 1, "no line feed", false],
  ["an empty line", `${lines("a")}\n`, 2, form, false],
  ["CRLF", lines("a").replace("\n", "\r\n"), 1, "control character", true],
  ["one space", lines("a").replace("  ", " "), 1, form, false],
  ["sha256sum's mark for binary", lines("a").replace("  ", " *"), 1, form, false],
  ["sha256sum's escape", "\\" + lines("a"), 1, form, false],
  ["upper case", lines("a").toUpperCase(), 1, form, false],
  ["63 digits", lines("a").slice(1), 1, form, false],
  ["65 digits", "0" + lines("a"), 1, form, false],
  ["no path", lines(""), 1, form, false],
  ["a comment", "# x\n" + lines("a"), 1, form, false],
  ["a repeated path", lines("a", "a"), 2, order, false],
  ["an order that is not bytewise", lines("b", "a"), 2, order, false],
  ["JavaScript's order", lines("\u{1f600}", "\ufb01"), 2, order, false],
  ["a directory sorted without its slash", lines("a/x", "a-b"), 2, order, false],
  ["a parent", lines("../a"), 1, "the part ..", true],
  ["a parent within", lines("a/../b"), 1, "the part ..", true],
  ["an absolute path", lines("/etc/passwd"), 1, "absolute", true],
  ["a doubled slash", lines("a//b"), 1, "an empty part", true],
  ["standard input", lines("-"), 1, "standard input", true],
  ["a backslash", lines("a\\b"), 1, "the character \\", true],
  ["a path that is not NFC", lines("e\u0301"), 1, "NFC", true],
  ["a terminal escape", lines("\u001b[2J"), 1, "control character", true],
  ["bytes that are not UTF-8", Buffer.from(lines("a\u00ff"), "latin1"), 1, "not UTF-8", true],
  ["a byte order mark", "\ufeff" + lines("a"), 1, form, false],
  ["a file below a file", lines("a", "a/b"), 2, 'below the file "a"', true],
  [
    "a file below a file further up",
    lines("a", "a-b", "a.c", "a/b"),
    4,
    'below the file "a"',
    true,
  ],
  ["a file below a file, deep", lines("a/b", "a/b!", "a/b/c/d"), 3, 'below the file "a/b"', true],
  ["a path of 4,096 bytes", lines(`${"a/".repeat(2047)}bc`), 1, "longer than 4095", true],
];

Deno.test("an index in any other form is refused with line and reason", () => {
  for (const [about, text, line, reason, unsafe] of faults) {
    assert.throws(() => parse([Buffer.from(text as string)]), (error) => {
      assert.ok(error instanceof IndexFault, `${about}: ${error}`);
      assert.ok(error.reason.includes(reason), `${about}: ${error.reason}`);
      assert.equal(error.line, line, about);
      assert.equal(error.unsafe, unsafe, about);
      return true;
    }, about);
  }
});

Deno.test("names that only share a prefix are not treated as a file below a file", () => {
  const paths = ["a", "a-b", "a.b", "aa/b", "b/c", "b/c-d/e", "b/cd/e", "b0"];
  assert.deepEqual(parse([Buffer.from(lines(...paths))]).map((e) => e.path), paths);
});

Deno.test("a line without an end is refused before it exhausts memory", () => {
  const parser = new IndexParser();
  parser.push(Buffer.from(lines("a")));
  assert.equal(parser.next()?.path, "a");
  parser.push(Buffer.alloc(4161, 0x61));
  assert.equal(parser.next(), undefined);
  parser.push(Buffer.alloc(2, 0x61));
  assert.throws(() => parser.next(), (e: IndexFault) => e.line === 2 && /too long/.test(e.reason));
});

Deno.test("the longest permitted path is accepted", () => {
  const path = `${"a/".repeat(2047)}b`;
  assert.equal(Buffer.byteLength(path), 4095);
  assert.deepEqual(parse([Buffer.from(lines(path))]), [{ path, sha256: digest }]);
});

const part = fc.stringMatching(/^[a-c\u00e9\ufb01]{1,3}$/);
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

Deno.test("property: sorted paths are accepted exactly if none lies below another", () => {
  always(
    fc.property(fc.uniqueArray(path, { maxLength: 12 }), fc.nat(500), (paths, cut) => {
      const sorted = paths.sort(comparePaths);
      const below = sorted.some((a) => sorted.some((b) => b.startsWith(`${a}/`)));
      const bytes = Buffer.from(lines(...sorted));
      const run = () => parse([bytes.subarray(0, cut), bytes.subarray(cut)]);
      if (below) assert.throws(run, /below the file/);
      else assert.deepEqual(run().map((e) => e.path), sorted);
    }),
    500,
  );
});

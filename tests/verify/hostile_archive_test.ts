/**
 * Archives by a hostile signer: every digest and the signature are right, and the tar is not what
 * the index says.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { blockSize } from "../../src/bundle/tar_header.ts";
import { makeBundle, mtime, tarOf } from "../support/bundle_fixture.ts";
import { alwaysAsync, fc } from "../support/property.ts";
import {
  a,
  ac,
  b,
  between,
  body,
  c,
  end,
  entryType,
  header,
  paxBefore,
  record,
  text,
  typed,
  wide,
  withHeader,
} from "./hostile_tar.ts";
import { assertFindings, verifyInMemory } from "../support/outcome.ts";

const differs = ["8 header_differs a.txt", "6 not_judged a.txt"];
type Row = [string, Uint8Array, number, string[]];

const rows: Row[] = [
  ["a missing first entry", tarOf([c]), 6, ["6 entry_missing a.txt"]],
  ["a missing last entry", tarOf([a]), 6, ["6 entry_missing c.txt"]],
  ["no entries", tarOf([]), 6, ["6 entry_missing a.txt", "6 not_judged c.txt"]],
  ["an extra first entry", tarOf([{ ...b, path: "Z" }, a, c]), 8, ["8 entry_unexpected Z"]],
  ["an extra entry between", tarOf([a, b, c]), 8, ["8 entry_unexpected b.txt"]],
  ["an extra last entry", tarOf([a, c, { ...b, path: "d" }]), 8, ["8 entry_unexpected d"]],
  ["an extra last entry with PAX", tarOf([a, c, wide]), 8, ["8 entry_unexpected \u00e9.txt"]],
  ["an extra long entry between", tarOf([a, { ...b, path: `b/${"x".repeat(150)}` }, c]), 8, [
    `8 entry_unexpected b/${"x".repeat(150)}`,
  ]],
  ["an extra empty entry", tarOf([a, { path: "b", content: "" }, c]), 8, ["8 entry_unexpected b"]],
  ["a repeated entry", tarOf([a, a, c]), 8, ["8 entry_unexpected a.txt"]],
  ["a repeated entry at the end", tarOf([a, c, a]), 8, ["8 entry_unexpected a.txt"]],
  ["a repeated name with other content", tarOf([a, { ...a, content: "x" }, c]), 8, [
    "8 entry_unexpected a.txt",
  ]],
  ["a renamed entry", tarOf([b, c]), 8, ["6 entry_missing a.txt", "8 entry_unexpected b.txt"]],
  ["a name in another case", tarOf([{ ...a, path: "A.txt" }, c]), 8, [
    "8 entry_unexpected A.txt",
    "6 not_judged a.txt",
  ]],
  ["reordered entries", tarOf([c, a]), 8, ["6 entry_missing a.txt", "8 entry_unexpected a.txt"]],
  ["swapped contents", tarOf([{ ...a, content: c.content }, { ...c, content: a.content }]), 7, [
    "7 digest_mismatch a.txt",
    "7 digest_mismatch c.txt",
  ]],
  ["other content", tarOf([{ ...a, content: "FIRST\n" }, c]), 7, ["7 digest_mismatch a.txt"]],
  ["a size that is too small", withHeader((h) => h.write("00000000005", 124, "latin1")), 8, [
    "7 digest_mismatch a.txt",
    "8 padding_differs a.txt",
  ]],
  ["a size that is too large", withHeader((h) => h.write("00000000007", 124, "latin1")), 7, [
    "7 digest_mismatch a.txt",
  ]],
  [
    "a size that swallows the next entry",
    withHeader((h) => h.write("00000002000", 124, "latin1")),
    8,
    [
      "7 digest_mismatch a.txt",
      "8 header_differs c.txt",
      "6 not_judged c.txt",
    ],
  ],
  ["a size beyond the archive", withHeader((h) => h.write("77777777777", 124, "latin1")), 6, [
    "6 not_judged a.txt",
  ]],
  ["mode 0600", withHeader((h) => h.write("000600", 100, "latin1")), 8, differs],
  ["mode 0777", withHeader((h) => h.write("000777", 100, "latin1")), 8, differs],
  ["a set-uid mode", withHeader((h) => h.write("004755", 100, "latin1")), 8, differs],
  ["another owner", withHeader((h) => h.write("000001", 108, "latin1")), 8, differs],
  ["another group", withHeader((h) => h.write("000001", 116, "latin1")), 8, differs],
  [
    "another time",
    withHeader((h) => h.write((mtime + 1).toString(8).padStart(11, "0"), 136, "latin1")),
    8,
    differs,
  ],
  ["an owner's name", withHeader(text(265, 32, "root")), 8, differs],
  ["a group's name", withHeader(text(297, 32, "root")), 8, differs],
  ["a device number", withHeader(text(329, 8, "0000000")), 8, differs],
  ["a link name of a regular file", withHeader(text(157, 100, "x")), 8, differs],
  ["bytes behind the header's fields", withHeader((h) => h[511] = 1), 8, differs],
  ["bytes behind the name's NUL", withHeader((h) => h[50] = 0x41), 8, differs],
  ["a prefix that makes another name", withHeader(text(345, 155, "x")), 6, [
    "6 entry_missing a.txt",
    "...",
  ]],
  ["GNU's magic", withHeader((h) => h.write("ustar  \0", 257, "latin1")), 8, differs],
  ["no magic", withHeader((h) => h.fill(0, 257, 265)), 8, [
    "8 header_differs a.txt",
    "6 not_judged a.txt",
  ]],
  ["a size with spaces", withHeader((h) => h.write("          6 ", 124, "latin1")), 8, differs],
  ["a size with a NUL", withHeader((h) => h.write("00000000006\0", 124, "latin1")), 8, differs],
  ["a size with an 8", withHeader((h) => h.write("00000000068", 124, "latin1")), 8, differs],
  ["a size in base 256", withHeader((h) => h.fill(0, 124, 136).writeUInt8(0x80, 124)), 8, differs],
  ["a negative size in base 256", withHeader((h) => h.fill(0xff, 124, 136)), 8, differs],
  [
    "a wrong checksum",
    Buffer.concat([
      (() => {
        const block = header(a);
        block.write("000000", 148, "latin1");
        return block;
      })(),
      body(a),
      tarOf([c]),
    ]),
    8,
    differs,
  ],
  ...[
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "g",
    "L",
    "K",
    "S",
    "V",
    "D",
    "M",
    "N",
    "\0",
    "\u001b",
    "Z",
  ].map((type): Row => [
    `type ${JSON.stringify(type)}`,
    between(entryType(type, "a.txt")),
    9,
    ["9 entry_type b.txt"],
  ]),
  [
    "a link in place of the file",
    Buffer.concat([
      header(a, (h) => {
        typed("2")(h);
        text(157, 100, "/etc/passwd")(h);
      }),
      tarOf([c]),
    ]),
    9,
    ["9 entry_type a.txt", "6 not_judged a.txt"],
  ],
  ...[
    "../a.txt",
    "/a.txt",
    "a/../../b",
    "./a.txt",
    "a//b",
    "a.txt/",
    "-",
    "con",
    "a\\b",
    "a:b",
    "\u001b[2J",
    "a\u202eb",
  ].map((path): Row => [
    `the name ${JSON.stringify(path)}`,
    between(Buffer.concat([header(b, text(0, 100, path)), body(b), end])),
    9,
    [`9 entry_path ${path}`],
  ]),
  [
    "a name that is not UTF-8",
    between(Buffer.concat([header(b, (h) => h[0] = 0xff), body(b), end])),
    9,
    [
      "9 entry_path \ufffd.txt",
    ],
  ],
  ["a PAX path that leads outside", paxBefore(record("path=../../a.txt")), 9, [
    "9 entry_path ../../a.txt",
  ]],
  ["a PAX path that renames", paxBefore(record("path=b.txt")), 6, ["6 entry_missing a.txt", "..."]],
  ["a PAX path that says the same", paxBefore(record("path=a.txt")), 8, ["8 header_differs a.txt"]],
  ["a PAX size", paxBefore(record("size=6")), 8, ["8 header_differs a.txt"]],
  ["a PAX size of 2^60", paxBefore(record("size=1152921504606846976")), 8, [
    "8 header_differs a.txt",
  ]],
  ["a PAX link", paxBefore(record("linkpath=/etc/passwd")), 8, ["8 header_differs a.txt"]],
  ["a PAX time", paxBefore(record("mtime=1.5")), 8, ["8 header_differs a.txt"]],
  ["a sparse file of GNU", paxBefore(record("GNU.sparse.major=1")), 8, ["8 header_differs a.txt"]],
  ["records that are none", paxBefore("hello\n"), 8, ["8 header_differs a.txt"]],
  ["records of a megabyte", paxBefore(record(`comment=${"x".repeat(1 << 20)}`)), 9, [
    "9 entry_type PaxHeaders/x",
  ]],
  [
    "a PAX header without an entry",
    Buffer.concat([paxBefore(record("path=a.txt")).subarray(0, 1024), end]),
    8,
    differs,
  ],
  ["global PAX records", paxBefore(record("path=../x"), "g"), 9, ["9 entry_type PaxHeaders/x"]],
  [
    "padding that is not zero",
    (() => {
      const tar = Buffer.from(tarOf(ac));
      tar[blockSize + 100] = 1;
      return tar;
    })(),
    8,
    ["8 padding_differs a.txt"],
  ],
  ["no end", tarOf(ac).subarray(0, -1024), 10, ["10 truncated p.tar"]],
  ["half an end", tarOf(ac).subarray(0, -512), 10, ["10 truncated p.tar"]],
  ["an end too long", Buffer.concat([tarOf(ac), Buffer.alloc(512)]), 8, ["8 trailing_data p.tar"]],
  [
    "GNU tar's record of 10 KiB",
    Buffer.concat([tarOf(ac), Buffer.alloc(10_240 - tarOf(ac).length)]),
    8,
    [
      "8 trailing_data p.tar",
    ],
  ],
  ["a second archive", Buffer.concat([tarOf(ac), tarOf(ac)]), 8, ["8 trailing_data p.tar"]],
  ["an end within", Buffer.concat([tarOf([a]), tarOf([c])]), 6, ["6 entry_missing c.txt", "..."]],
  ["an end that is not zero", Buffer.concat([tarOf(ac).subarray(0, -1), Buffer.of(1)]), 8, [
    "8 header_differs p.tar",
  ]],
  ["cut within an entry", tarOf(ac).subarray(0, 512), 6, ["6 not_judged a.txt"]],
  ["zeros only", Buffer.alloc(10_240), 6, ["6 entry_missing a.txt", "6 not_judged c.txt"]],
  ["noise", Buffer.alloc(4096, 0x5a), 8, ["8 header_differs a.txt", "6 not_judged a.txt"]],
];

Deno.test("an archive that differs from the index is refused with the reason", async () => {
  for (const compression of ["none", "zstd"] as const) {
    for (const [about, tar, code, expected] of rows) {
      const outcome = await verifyInMemory(makeBundle({ entries: ac, tar, compression }));
      const named = expected.map((one) =>
        compression === "zstd" ? one.replace(/p\.tar$/, "p.tar.zst") : one
      );
      assertFindings(outcome.findings, named, about);
      assert.equal(outcome.code, code, `${about}: ${outcome.findings}`);
    }
  }
});

Deno.test("entries before and after an unlisted one are still verified", async () => {
  for (
    const tar of [
      tarOf([a, b, c]),
      between(entryType("2", "/etc/passwd")),
      tarOf([{ ...b, path: "Z" }, a, c]),
    ]
  ) {
    const { verdict } = await verifyInMemory(makeBundle({ entries: ac, tar }));
    assert.equal(verdict!.filesVerified, 2);
  }
  const missing = await verifyInMemory(
    makeBundle({ entries: [a, b, c, wide], tar: tarOf([a, wide]) }),
  );
  assert.deepEqual(missing.findings, ["6 entry_missing b.txt", "6 entry_missing c.txt"]);
  assert.equal(missing.verdict!.filesVerified, 2);
});

Deno.test("property: a re-signed tar with one changed byte is refused without an exception", async () => {
  const entries = [a, c, wide];
  const tar = tarOf(entries);
  const at = fc.nat(tar.length - 1);
  const flip = fc.integer({ min: 1, max: 255 });
  await alwaysAsync(
    fc.asyncProperty(at, flip, async (at, flip) => {
      const bytes = Buffer.from(tar);
      bytes[at]! ^= flip;
      assert.notEqual((await verifyInMemory(makeBundle({ entries, tar: bytes }))).code, 0);
    }),
    400,
  );
});

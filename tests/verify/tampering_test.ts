/** Each kind of tampering with a bundle of each form: the exit code and the reasons, exactly. */
import assert from "node:assert/strict";
import { attestationName, indexName, manifestName } from "../../src/bundle/manifest.ts";
import type { Files } from "../support/bundle_fixture.ts";
import { assertFindings, verifyInMemory } from "../support/outcome.ts";
import { bundles, cut, drop, flip, grow, put, swap, tampered } from "../support/tampered.ts";

Deno.test("untouched bundles of every form are verified, with all their files", async () => {
  for (const [form, made] of Object.entries(bundles)) {
    const { code, findings, verdict } = await verifyInMemory(made);
    assert.deepEqual([code, findings], [0, []], form);
    assert.equal(verdict!.ok, true);
    assert.equal(verdict!.verdict, "verified");
    assert.equal(verdict!.filesVerified, made.manifest.payload.files);
    assert.deepEqual(verdict!.signer, { keyid: made.key.trusted.keyid, name: "test" });
  }
});

/**
 * [form, what, change, exit code, findings]; a finding that ends with `...` stands for those that
 * begin so.
 */
type Row = [string, string, (files: Files) => void, number, string[]];

const everyForm = (
  what: string,
  change: (files: Files) => void,
  code: number,
  found: string[],
): Row[] => Object.keys(bundles).map((form) => [form, what, change, code, found]);

const rows: Row[] = [
  ...everyForm("no manifest", drop(manifestName), 3, [
    'thrown Cannot verify "memory": no manifest.json in it',
  ]),
  ...everyForm("an empty manifest", put(manifestName, ""), 4, [
    "4 subject_mismatch manifest.json.sigstore.json",
  ]),
  ...everyForm("a changed manifest", flip(manifestName, 30), 4, [
    "4 subject_mismatch manifest.json.sigstore.json",
  ]),
  ...everyForm("no attestation", drop(attestationName), 5, [
    "5 attestation_missing manifest.json.sigstore.json",
  ]),
  ...everyForm("an empty attestation", put(attestationName, ""), 4, [
    "4 malformed manifest.json.sigstore.json",
  ]),
  ...everyForm("an attestation with a byte more", grow(attestationName, "\n"), 4, [
    "4 malformed manifest.json.sigstore.json",
  ]),
  ...everyForm("an attestation of 5 MiB", put(attestationName, "x".repeat(5 << 20)), 4, [
    'thrown Cannot read "manifest.json.sigstore.json": it has more than 4194304 bytes',
  ]),
  ...everyForm("a changed document", flip("VERIFY.txt", 3), 7, ["7 digest_mismatch VERIFY.txt"]),
  ...everyForm("a shorter document", cut("VERIFY.txt", 1), 7, ["7 size_differs VERIFY.txt"]),
  ...everyForm("a longer document", grow("VERIFY.txt", "x"), 7, ["7 size_differs VERIFY.txt"]),
  ...everyForm("no document", drop("VERIFY.txt"), 6, ["6 file_missing VERIFY.txt"]),
  ...everyForm("a foreign file beside the manifest", put("holiday.jpg", "x"), 0, []),
  ...everyForm("no index", drop(indexName), 6, ["6 file_missing SHA256SUMS"]),
  ["plain", "a changed digest in the index", flip(indexName, 5), 7, [
    "7 digest_mismatch SHA256SUMS",
    "7 digest_mismatch a.txt",
  ]],
  ["directory", "a changed digest in the index", flip(indexName, 5), 7, [
    "7 digest_mismatch SHA256SUMS",
    "7 digest_mismatch payload/a.txt",
  ]],
  ["plain", "a space in the index", flip(indexName, 64), 7, [
    "7 digest_mismatch SHA256SUMS",
    "7 digest_mismatch SHA256SUMS",
  ]],
  ["plain", "a longer index", grow(indexName, "x"), 7, ["7 size_differs SHA256SUMS"]],
  ["zstd", "an empty index", put(indexName, ""), 7, [
    "7 size_differs SHA256SUMS",
    "7 digest_mismatch a.txt",
  ]],
  [
    "plain",
    "a broken index and a damaged archive",
    (files) => {
      flip(indexName, 64)(files);
      flip("p.tar", -1)(files);
    },
    7,
    ["7 digest_mismatch SHA256SUMS", "7 digest_mismatch SHA256SUMS", "7 digest_mismatch p.tar"],
  ],
  ["plain", "a changed header", flip("p.tar", 3), 7, ["7 digest_mismatch p.tar", "..."]],
  ["plain", "changed content", flip("p.tar", 512), 7, [
    "7 digest_mismatch a.txt",
    "7 digest_mismatch p.tar",
  ]],
  ["plain", "changed padding", flip("p.tar", 1000), 7, [
    "7 digest_mismatch p.tar",
    "7 digest_mismatch a.txt",
  ]],
  ["plain", "a changed last byte", flip("p.tar", -1), 7, ["7 digest_mismatch p.tar", "..."]],
  ["plain", "a cut archive", cut("p.tar", 1), 10, ["10 truncated p.tar", "..."]],
  ["plain", "an empty archive", put("p.tar", ""), 10, ["10 truncated p.tar", "6 not_judged a.txt"]],
  ["plain", "a byte more", grow("p.tar", "x"), 8, ["8 trailing_data p.tar"]],
  ["plain", "a block of zeros more", grow("p.tar", "\0".repeat(512)), 8, ["8 trailing_data p.tar"]],
  ["plain", "no archive", drop("p.tar"), 6, ["6 file_missing p.tar", "6 not_judged a.txt"]],
  ["zstd", "a changed chunk", flip("p.tar.zst", 40), 7, [
    "7 digest_mismatch p.tar.zst",
    "6 not_judged a.txt",
  ]],
  ["zstd", "a cut archive", cut("p.tar.zst", 1), 10, [
    "10 truncated p.tar.zst",
    "6 not_judged a.txt",
  ]],
  ["zstd", "a byte more", grow("p.tar.zst", "x"), 8, ["8 trailing_data p.tar.zst"]],
  ["zstd", "an empty frame more", grow("p.tar.zst", "(\xb5/\xfd \0\x01\0\0"), 8, [
    "8 trailing_data p.tar.zst",
  ]],
  ["zstd", "no archive", drop("p.tar.zst"), 6, ["6 file_missing p.tar.zst", "6 not_judged a.txt"]],
  ["volumes", "a changed first volume", flip("p.tar.zst.001", 40), 7, [
    "7 digest_mismatch p.tar.zst.001",
    "6 not_judged a.txt",
  ]],
  ["volumes", "no first volume", drop("p.tar.zst.001"), 10, [
    "10 volume_missing p.tar.zst.001",
    "6 not_judged a.txt",
  ]],
  ["volumes", "no last volume", drop("p.tar.zst.002"), 10, [
    "10 volume_missing p.tar.zst.002",
    "6 not_judged b.bin",
  ]],
  ["volumes", "a cut last volume", cut("p.tar.zst.002", 1), 10, [
    "10 truncated p.tar.zst.002",
    "6 not_judged b.bin",
  ]],
  ["volumes", "a longer first volume", grow("p.tar.zst.001", "x"), 8, [
    "8 trailing_data p.tar.zst.001",
  ]],
  ["volumes", "swapped volumes", swap("p.tar.zst.001", "p.tar.zst.002"), 8, [
    "10 truncated p.tar.zst.001",
    "7 digest_mismatch p.tar.zst.002",
    "8 trailing_data p.tar.zst.002",
    "6 not_judged a.txt",
  ]],
  [
    "volumes",
    "no volume at all",
    (files) => {
      files.delete("p.tar.zst.001");
      files.delete("p.tar.zst.002");
    },
    10,
    ["10 volume_missing p.tar.zst.001", "10 volume_missing p.tar.zst.002", "6 not_judged a.txt"],
  ],
  ["plainVolumes", "no first volume", drop("p.tar.001"), 10, [
    "10 volume_missing p.tar.001",
    "6 not_judged a.txt",
  ]],
  ["plainVolumes", "a changed second volume", flip("p.tar.002", 0), 7, [
    "7 digest_mismatch b.bin",
    "7 digest_mismatch p.tar.002",
  ]],
  ["directory", "a changed file", flip("payload/a.txt", 0), 7, ["7 digest_mismatch payload/a.txt"]],
  ["directory", "a shorter file", cut("payload/c.bin", 1), 7, ["7 digest_mismatch payload/c.bin"]],
  ["directory", "a longer file", grow("payload/d/empty", "x"), 7, [
    "7 digest_mismatch payload/d/empty",
  ]],
  ["directory", "a huge file", put("payload/a.txt", "x".repeat(1000)), 7, [
    "7 size_differs payload/a.txt",
  ]],
  ["directory", "swapped files", swap("payload/a.txt", "payload/c.bin"), 7, [
    "7 digest_mismatch payload/a.txt",
    "7 digest_mismatch payload/c.bin",
  ]],
  ["directory", "no file", drop("payload/c.bin"), 6, ["6 file_missing payload/c.bin"]],
  ["directory", "a file more", put("payload/x", ""), 8, ["8 entry_unexpected payload/x"]],
  ["directory", "a file more, far down", put("payload/x/y/z", ""), 8, [
    "8 entry_unexpected payload/x/y/z",
  ]],
  [
    "directory",
    "a renamed file",
    (files) => {
      files.set("payload/A.txt", files.get("payload/a.txt")!);
      files.delete("payload/a.txt");
    },
    8,
    ["6 file_missing payload/a.txt", "8 entry_unexpected payload/A.txt"],
  ],
  [
    "directory",
    "no payload at all",
    (files) => {
      for (const path of [...files.keys()]) if (path.startsWith("payload/")) files.delete(path);
    },
    6,
    ["6 file_missing payload/..."],
  ],
  [
    "directory",
    "all at once",
    (files) => {
      flip("payload/a.txt", 0)(files);
      put("payload/x", "")(files);
      drop("payload/c.bin")(files);
      drop("VERIFY.txt")(files);
    },
    8,
    [
      "6 file_missing VERIFY.txt",
      "6 file_missing payload/c.bin",
      "7 digest_mismatch payload/a.txt",
      "8 entry_unexpected payload/x",
    ],
  ],
];

Deno.test("each kind of tampering has its exit code and its reasons", async () => {
  for (const [form, what, change, code, expected] of rows) {
    const about = `${form}: ${what}`;
    const outcome = await verifyInMemory(tampered(form, change));
    assertFindings(outcome.findings, expected, about);
    assert.equal(outcome.code, code, `${about}: ${outcome.findings}`);
    assert.equal(outcome.verdict?.ok ?? false, code === 0, about);
    for (const { reason, hint, found } of outcome.verdict?.findings ?? []) {
      assert.ok(hint !== undefined || found !== undefined, `${about}: ${reason} says nothing more`);
    }
  }
});

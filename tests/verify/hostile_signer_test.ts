/** Index, manifest and chunks by a hostile signer, with a valid signature. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sha256 } from "../../src/domain/hash.ts";
import { encodeIndexLine } from "../../src/bundle/index_file.ts";
import { compressChunk } from "../../src/bundle/zstd_chunk.ts";
import { indexOf, makeBundle, memorySource, type Recipe } from "../support/bundle_fixture.ts";
import { a, ac, b, c, header } from "./hostile_tar.ts";
import { assertFindings, outcomeOf, verifyInMemory } from "../support/outcome.ts";
import { computed } from "../support/timing.ts";

const indexes: [string, Recipe["index"], number, string[]][] = [
  ["no line", "", 8, ["8 entry_unexpected a.txt"]],
  ["a line less", indexOf([a]), 8, ["8 entry_unexpected c.txt"]],
  ["a line more", indexOf([a, b, c]), 6, ["6 entry_missing b.txt"]],
  ["a line twice", indexOf([a, a, c]), 8, ["8 index_malformed SHA256SUMS"]],
  ["another order", indexOf([c, a]), 8, ["8 index_malformed SHA256SUMS"]],
  ["no line feed", indexOf(ac).trimEnd(), 8, ["8 index_malformed SHA256SUMS"]],
  ["CRLF", indexOf(ac).replaceAll("\n", "\r\n"), 9, ["9 entry_path SHA256SUMS"]],
  ["a path outside", indexOf([{ ...a, path: "../a.txt" }]) + indexOf(ac), 9, [
    "9 entry_path SHA256SUMS",
  ]],
  ["an absolute path", indexOf([{ ...a, path: "/etc/passwd" }]) + indexOf(ac), 9, [
    "9 entry_path SHA256SUMS",
  ]],
  ["a file below a file", indexOf([a, { ...b, path: "a.txt/b" }, c]), 9, [
    "9 entry_path SHA256SUMS",
  ]],
  ["another digest", encodeIndexLine({ path: a.path, sha256: sha256("x") }) + indexOf([c]), 7, [
    "7 digest_mismatch a.txt",
  ]],
  ["noise", Buffer.alloc(100_000, 0x5a), 8, ["8 index_malformed SHA256SUMS"]],
];

Deno.test("an invalid signed index is refused with the reason", async () => {
  for (const layout of ["archive", "directory"] as const) {
    for (const [about, index, code, expected] of indexes) {
      const outcome = await verifyInMemory(makeBundle({ entries: ac, index: index!, layout }));
      const paths = expected.map((one) => {
        if (layout === "archive" || one.endsWith("SHA256SUMS")) return one;
        return one.replace(/ (?=[^ ]*$)/, " payload/").replace("entry_missing", "file_missing");
      });
      // The lines before the fault count, and the archive begins with another file.
      const isOff = about === "another order" && layout === "archive";
      const extras = [
        ...about === "no line" && layout === "directory"
          ? ["8 entry_unexpected payload/c.txt"]
          : [],
        ...isOff ? ["8 entry_unexpected a.txt"] : [],
      ];
      assert.deepEqual(outcome.findings, [...paths, ...extras].sort(), `${layout}: ${about}`);
      assert.equal(outcome.code, code, `${layout}: ${about}`);
    }
  }
});

const manifests: [string, Recipe, number, string[]][] = [
  ["more files than there are", { manifest: (m) => m.payload.files++ }, 7, [
    "7 payload_differs manifest.json",
  ]],
  ["fewer bytes than there are", { manifest: (m) => m.payload.bytes-- }, 7, [
    "7 payload_differs manifest.json",
  ]],
  ["another digest of the archive", { manifest: (m) => m.files.at(-1)!.sha256 = sha256("x") }, 7, [
    "7 digest_mismatch p.tar",
  ]],
  ["another digest of the index", { manifest: (m) => m.files[0]!.sha256 = sha256("x") }, 7, [
    "7 digest_mismatch SHA256SUMS",
  ]],
  ["another size of the index", { manifest: (m) => m.files[0]!.size++ }, 7, [
    "7 size_differs SHA256SUMS",
  ]],
  ["another time", { manifest: (m) => m.created = "2026-01-01T00:00:01Z" }, 8, [
    "8 header_differs a.txt",
    "...",
  ]],
  [
    "a file that is not there",
    {
      manifest: (m) => m.files.push({ path: "z", role: "program", size: 0, sha256: sha256("") }),
    },
    6,
    ["6 file_missing z"],
  ],
];

Deno.test("a signed manifest that contradicts its bundle is refused", async () => {
  for (const [about, recipe, code, expected] of manifests) {
    const outcome = await verifyInMemory(makeBundle({ entries: ac, ...recipe }));
    assertFindings(outcome.findings, expected, about);
    assert.equal(outcome.code, code, about);
  }
});

Deno.test("chunk digests of a plain archive locate damage and do not affect the verdict", async () => {
  const made = makeBundle({
    entries: ac,
    manifest: (m) => m.files.at(-1)!.chunks![0]!.sha256 = sha256("x"),
  });
  assert.equal((await verifyInMemory(made)).code, 0);
  const zstd = makeBundle({
    entries: ac,
    compression: "zstd",
    manifest: (m) => m.files.at(-1)!.chunks![0]!.sha256 = sha256("x"),
  });
  assert.deepEqual((await verifyInMemory(zstd)).findings, [
    "6 not_judged a.txt",
    "7 digest_mismatch p.tar.zst",
  ]);
});

Deno.test("a chunk that is not one frame of the stated size is never decoded further", async () => {
  const stored: [string, (chunk: Uint8Array) => Uint8Array][] = [
    ["no frame", (chunk) => chunk.slice(0, 1000)],
    [
      "two frames",
      (chunk) => Buffer.concat([compressChunk(chunk), compressChunk(new Uint8Array(1))]),
    ],
    ["another length", (chunk) => compressChunk(chunk.slice(1))],
    ["a bomb", () => compressChunk(new Uint8Array(64 << 20))],
    ["a cut frame", (chunk) => compressChunk(chunk).slice(0, -1)],
  ];
  for (const [about, storeChunk] of stored) {
    const outcome = await verifyInMemory(
      makeBundle({ entries: ac, compression: "zstd", storeChunk }),
    );
    assert.deepEqual(
      outcome.findings,
      ["6 not_judged a.txt", "8 chunk_not_decodable p.tar.zst"],
      about,
    );
    assert.equal(outcome.code, 8);
  }
});

Deno.test("a listed file that is a link is refused, and nothing is read through it", async () => {
  for (const layout of ["archive", "directory"] as const) {
    const made = makeBundle({ layout });
    for (const path of [...made.files.keys()].filter((one) => !one.startsWith("manifest"))) {
      const outcome = await outcomeOf(memorySource(made.files, new Set([path])), [
        made.key.trusted,
      ]);
      assert.ok(outcome.findings.includes(`9 unsafe_entry ${path}`), path);
      assert.equal(outcome.code, 9, path);
    }
  }
});

Deno.test("the search for headers takes time linear in the size of the archive", async () => {
  // 8,192 headers that sort after all of 20,000 paths: a search from the front would compare 160
  // million paths.
  const entries = Array.from(
    { length: 20_000 },
    (_, i) => ({ path: `a${i}`.padEnd(7, "x"), content: "" }),
  );
  const later = header({ path: "zzz", content: "" });
  const tar = Buffer.concat([Buffer.alloc(512, 0x5a), ...Array(8192).fill(later)]);
  const bundle = makeBundle({ entries, tar });
  const spent = await computed(async () => {
    assert.equal((await verifyInMemory(bundle)).code, 8);
  });
  assert.ok(spent < 5_000, `${spent} ms`);
});

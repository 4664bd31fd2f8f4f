/** Damage is located, and what can still be verified around it is verified. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { StellaError } from "../../src/domain/errors.ts";
import { chunkSize } from "../../src/bundle/manifest.ts";
import type { BundleSource } from "../../src/bundle/source.ts";
import {
  type Entry,
  type MadeBundle,
  makeBundle,
  memorySource,
  type Recipe,
} from "../support/bundle_fixture.ts";
import { outcomeOf, verifyInMemory } from "../support/outcome.ts";

/** Files of 1 MiB, four to a chunk but for the headers: chunk borders lie within files. */
const entries: Entry[] = Array.from({ length: 14 }, (_, i) => ({
  path: `f${String(i).padStart(2, "0")}`,
  content: Buffer.alloc(1 << 20, i),
}));
const made: Record<string, MadeBundle> = Object.fromEntries(
  ([["none", {}], ["zstd", {}], ["volumes", { chunksPerVolume: 1 }]] as [string, Recipe][]).map((
    [name, recipe],
  ) => [
    name,
    makeBundle({ entries, compression: name === "none" ? "none" : "zstd", ...recipe }),
  ]),
);

function damaged(form: string, path: string, at: number): Pick<MadeBundle, "files" | "key"> {
  const bytes = Buffer.from(made[form]!.files.get(path)!);
  bytes[at]! ^= 0xff;
  return { ...made[form]!, files: new Map(made[form]!.files).set(path, bytes) };
}

Deno.test("a damaged chunk is located, its files are not verified and later files are", async () => {
  const file = made["zstd"]!.manifest.files.at(-1)!;
  const sizes = file.chunks!.map((chunk) => chunk.size);
  assert.equal(sizes.length, 4);
  const { code, verdict } = await verifyInMemory(damaged("zstd", file.path, sizes[0]! + 20));
  assert.equal(code, 7);
  const [digest, gap, ...rest] = verdict!.findings;
  assert.deepEqual(rest, []);
  assert.equal(digest!.reason, "digest_mismatch");
  assert.deepEqual(digest!.range, [sizes[0], sizes[0]! + sizes[1]!]);
  assert.equal(gap!.reason, "not_judged");
  assert.equal(gap!.found, "5 files were not checked (f03 to f07)");
  assert.equal(verdict!.filesVerified, 9);
});

Deno.test("two damaged chunks are two gaps", async () => {
  const file = made["zstd"]!.manifest.files.at(-1)!;
  const first = damaged("zstd", file.path, 20);
  const bytes = Buffer.from(first.files.get(file.path)!);
  bytes[file.size - 5]! ^= 1;
  const { verdict, findings } = await verifyInMemory({
    ...first,
    files: new Map(first.files).set(file.path, bytes),
  });
  assert.deepEqual(findings, [
    "6 not_judged f00",
    "6 not_judged f11",
    `7 digest_mismatch ${file.path}`,
    `7 digest_mismatch ${file.path}`,
  ]);
  assert.equal(verdict!.filesVerified, 7);
});

Deno.test("a missing volume in the middle is located like a damaged chunk", async () => {
  const files = new Map(made["volumes"]!.files);
  files.delete("p.tar.zst.002");
  const { code, findings, verdict } = await verifyInMemory({ ...made["volumes"]!, files });
  assert.equal(code, 10);
  assert.deepEqual(findings, ["10 volume_missing p.tar.zst.002", "6 not_judged f03"]);
  assert.equal(verdict!.filesVerified, 9);
});

Deno.test("files before the end of a truncated archive are verified", async () => {
  const { files, manifest } = made["none"]!;
  const path = manifest.files.at(-1)!.path;
  const cut = files.get(path)!.subarray(0, 5 << 20);
  const { code, verdict } = await verifyInMemory({
    ...made["none"]!,
    files: new Map(files).set(path, cut),
  });
  assert.equal(code, 10);
  const truncated = verdict!.findings.find((f) => f.reason === "truncated")!;
  assert.deepEqual(truncated.range, [5 << 20, files.get(path)!.length]);
  // The chunk that is not whole is not verified at all: four files are before it, but for the last
  // one's end.
  assert.equal(verdict!.filesVerified, 3);
});

Deno.test("a damaged header of a plain archive affects one file", async () => {
  const path = made["none"]!.manifest.files.at(-1)!.path;
  const { code, findings, verdict } = await verifyInMemory(
    damaged("none", path, (1 << 20) + 512 + 200),
  );
  assert.equal(code, 7);
  assert.deepEqual(findings, [
    "6 not_judged f01",
    "7 digest_mismatch f01",
    "7 digest_mismatch p.tar",
  ]);
  assert.equal(verdict!.filesVerified, 13);
});

Deno.test("damaged content of a plain archive affects one file, which is named", async () => {
  const path = made["none"]!.manifest.files.at(-1)!.path;
  const { findings, verdict } = await verifyInMemory(
    damaged("none", path, 2 * ((1 << 20) + 512) + 1000),
  );
  assert.deepEqual(findings, ["7 digest_mismatch f02", "7 digest_mismatch p.tar"]);
  assert.equal(verdict!.filesVerified, 13);
});

Deno.test("files over a chunk's border, and exactly up to it, are verified whole", async () => {
  for (const compression of ["none", "zstd"] as const) {
    for (
      const length of [chunkSize - 512, chunkSize - 511, chunkSize, 2 * chunkSize - 1024 - 512]
    ) {
      const content = Buffer.alloc(length, 7);
      const some = [{ path: "a", content }, { path: "b", content: "after" }, {
        path: "c",
        content: "",
      }];
      const { code, verdict } = await verifyInMemory(makeBundle({ entries: some, compression }));
      assert.deepEqual([code, verdict!.filesVerified], [0, 3], `${compression} ${length}`);
    }
  }
});

Deno.test("the longest path and the smallest bundle are verified whole", async () => {
  const longest = `${"a/".repeat(2047)}b`;
  const wide = `${"\u00e9/".repeat(1364)}abc`;
  for (const path of [longest, wide]) {
    assert.equal(Buffer.byteLength(path), 4095);
    const { code, verdict } = await verifyInMemory(
      makeBundle({ entries: [{ path, content: "" }] }),
    );
    assert.deepEqual([code, verdict!.filesVerified], [0, 1]);
  }
});

/** A source whose reads of `path` fail from the second on. */
function failing(source: BundleSource, path: string, closed: string[]): BundleSource {
  return {
    ...source,
    open: async (name) => {
      const reader = await source.open(name);
      if (reader === undefined) return undefined;
      let reads = 0;
      return {
        size: reader.size,
        read: (buffer) => {
          if (name === path && reads++ > 0) {
            throw new StellaError("medium_failed", "Cannot read it: EIO");
          }
          return reader.read(buffer);
        },
        close: () => void closed.push(name),
      };
    },
  };
}

Deno.test("a medium error ends verification with code 12, no finding about content and no open files", async () => {
  const directory = makeBundle({
    layout: "directory",
    entries: [{ path: "big", content: Buffer.alloc(3 << 20) }],
  });
  const cases: [MadeBundle, string][] = [
    [made["zstd"]!, "p.tar.zst"],
    [made["none"]!, "p.tar"],
    [directory, "payload/big"],
    [directory, "SHA256SUMS"],
    [directory, "VERIFY.txt"],
  ];
  for (const [bundle, path] of cases) {
    const closed: string[] = [];
    const source = failing(memorySource(bundle.files), path, closed);
    const outcome = await outcomeOf(source, [bundle.key.trusted]);
    assert.deepEqual([outcome.code, outcome.findings], [12, ["thrown Cannot read it: EIO"]], path);
    assert.ok(closed.includes(path), path);
    assert.ok(path === "VERIFY.txt" || closed.includes("SHA256SUMS"), path);
  }
});

Deno.test("a file that cannot be opened is an error, not a finding", async () => {
  for (const [bundle, path] of [[made["none"]!, "p.tar"], [made["none"]!, "VERIFY.txt"]] as const) {
    const source = memorySource(bundle.files);
    const broken: BundleSource = {
      ...source,
      open: (name) => {
        if (name === path) throw new StellaError("medium_failed", "Cannot open it: EIO");
        return source.open(name);
      },
    };
    const outcome = await outcomeOf(broken, [bundle.key.trusted]);
    assert.deepEqual([outcome.code, outcome.findings], [12, ["thrown Cannot open it: EIO"]], path);
  }
});

Deno.test("progress counts every byte once, up to the total", async () => {
  const directory = makeBundle({ layout: "directory" });
  for (const bundle of [...Object.values(made), directory]) {
    const calls: [number, number][] = [];
    await outcomeOf(memorySource(bundle.files), [bundle.key.trusted], {
      progress: (done, total) => void calls.push([done, total]),
    });
    const total = bundle.manifest.files.reduce((sum, file) => sum + file.size, 0) +
      (bundle === directory ? bundle.manifest.payload.bytes : 0);
    assert.deepEqual(calls.at(-1), [total, total]);
    assert.ok(calls.every(([done], i) => i === 0 || done >= calls[i - 1]![0]));
    assert.ok(calls.every(([, all]) => all === total));
  }
});

Deno.test("each byte of the medium is read once", async () => {
  for (const bundle of [...Object.values(made), makeBundle({ layout: "directory" })]) {
    const source = memorySource(bundle.files);
    let read = 0;
    const counting: BundleSource = {
      ...source,
      open: async (path) => {
        const reader = await source.open(path);
        return reader && {
          ...reader,
          read: async (buffer) => {
            const n = await reader.read(buffer);
            read += n;
            return n;
          },
        };
      },
    };
    assert.equal((await outcomeOf(counting, [bundle.key.trusted])).code, 0);
    const size = [...bundle.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    assert.equal(read, size);
  }
});

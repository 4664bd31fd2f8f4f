import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { planExport } from "../../src/export/plan.ts";
import { preflight } from "../../src/export/preflight.ts";
import { type FreeSpace, freeSpaceAt } from "../../src/output/free_space.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { kev, kevEntry } from "../support/risk_records.ts";
import { type Changes, optionsFor, refusal, run } from "../support/run_export.ts";

const fat32 = 2 ** 32 - 1;

/** Files of any size that cost no disk. */
function sparse(root: string, sizes: Record<string, number>): void {
  mkdirSync(root, { recursive: true });
  for (const [path, size] of Object.entries(sizes)) {
    using file = Deno.openSync(join(root, path), { create: true, write: true });
    file.truncateSync(size);
  }
}

Deno.test("the minimum size must fit into the free space before anything is written", async () => {
  await withDirectory(async (root) => {
    const input = join(root, "in");
    sparse(input, { a: 1000, b: 0 });
    // Two headers, content in two blocks, two end blocks; two lines of the index.
    const tar = 512 + 1024 + 512 + 1024;
    const index = 2 * (64 + 2 + 1 + 1);
    const cases: [Changes, FreeSpace, boolean][] = [
      [{ compression: "none" }, { bytes: tar + index }, true],
      [{ compression: "none" }, { bytes: tar + index - 1 }, false],
      [{ layout: "directory" }, { bytes: 1000 + index }, true],
      [{ layout: "directory" }, { bytes: 1000 + index - 1 }, false],
      [{ layout: "directory" }, { bytes: 1e6, files: 2 }, true],
      [{ layout: "directory" }, { bytes: 1e6, files: 1 }, false],
      [{ layout: "archive" }, { bytes: 1e6, files: 0 }, true],
      [{ compression: "zstd" }, { bytes: index }, true],
      [{ compression: "zstd" }, { bytes: index - 1 }, false],
      [{ programs: [{ name: "x", path: join(input, "a") }] }, { bytes: 1000 + index }, true],
      [{ programs: [{ name: "x", path: join(input, "a") }] }, { bytes: 999 + index }, false],
    ];
    for (const [options, space, fits] of cases) {
      const out = join(root, "out");
      const about = JSON.stringify([options, space]);
      if (fits) {
        await run(out, input, { ...options, freeSpace: () => space });
        Deno.removeSync(out, { recursive: true });
        continue;
      }
      const { code, message } = await refusal(() =>
        run(out, input, { ...options, freeSpace: () => space })
      );
      assert.equal(code, 12, about);
      assert.match(message, /the bundle needs \d+ (bytes|files) and /, about);
      assert.ok(!readdirSync(root).includes("out"), about);
    }
  });
});

Deno.test("an archive that may exceed FAT32's file size is refused with a hint", async () => {
  await withDirectory(async (root) => {
    const [small, large, many] = ["small", "large", "many"].map((name) => join(root, name));
    sparse(small!, { a: fat32 - 2048 });
    sparse(large!, { a: fat32 + 1 });
    sparse(many!, { a: 2 ** 31, b: 2 ** 31 });
    const space = { bytes: 1e12, maxFileBytes: fat32 };
    const volumes = /--volume-size fat32/;
    const cases: [string, Changes, RegExp | undefined][] = [
      [small!, { compression: "none" }, undefined],
      [small!, { compression: "zstd" }, undefined],
      [large!, { compression: "none" }, volumes],
      [large!, { compression: "zstd" }, volumes],
      [large!, { compression: "none", volumeSize: fat32 }, undefined],
      [large!, { compression: "none", volumeSize: fat32 + 1 }, volumes],
      [large!, { layout: "directory" }, /--layout archive --volume-size fat32/],
      [many!, { layout: "directory" }, undefined],
      [many!, { compression: "none" }, volumes],
    ];
    for (const [input, options, remedy] of cases) {
      const plan = planExport(optionsFor(root, input, options));
      const about = JSON.stringify([input, options]);
      if (remedy === undefined) {
        preflight(plan, root, space);
        continue;
      }
      const { code, message, error } = await refusal(() => preflight(plan, root, space));
      assert.deepEqual([code, /FAT32 holds files of at most/.test(message)], [2, true], about);
      assert.match(error.hint!, remedy, about);
      preflight(plan, root, { bytes: 1e12 });
    }
  });
});

Deno.test("a risk export, whose size is known only after preparation, is refused too and leaves no files", async () => {
  await withDirectory(async (root) => {
    const path = join(root, "kev.json");
    writeFileSync(path, kev([kevEntry("CVE-2021-0001")]));
    const { code } = await refusal(() =>
      run(join(root, "out"), [], {
        providers: [{ name: "kev", kind: "kev", path, onInvalid: "fail" }],
        freeSpace: () => ({ bytes: 1 }),
      })
    );
    assert.equal(code, 12);
    assert.deepEqual(readdirSync(join(root, "out")), []);
  });
});

Deno.test("the free space of a missing directory is that of its nearest existing parent", async () => {
  await withDirectory((root) => {
    const space = freeSpaceAt(join(root, "not/there"))!;
    assert.ok(space.bytes > 0);
    assert.equal(space.maxFileBytes, undefined);
  });
});

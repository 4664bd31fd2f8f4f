/** What a worker reports about the small files of a directory bundle. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestFiles, smallFile } from "../../src/bundle/file_digests.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { withDirectory } from "../support/bundle_fixture.ts";

Deno.test("files up to the limit are hashed, and larger ones are skipped", async () => {
  await withDirectory((root) => {
    const sizes = [0, 1, smallFile - 1, smallFile, smallFile + 1];
    for (const size of sizes) writeFileSync(join(root, `${size}`), new Uint8Array(size).fill(size));
    const names = sizes.map(String);
    const expected = sizes.map((size) =>
      size > smallFile
        ? { larger: true }
        : { sha256: sha256(new Uint8Array(size).fill(size)), size }
    );
    assert.deepEqual(digestFiles(root, names, smallFile), expected);
    assert.deepEqual(digestFiles(root, names, 2 * smallFile), expected, "never a part of a file");
    assert.deepEqual(digestFiles(root, ["0", "1", `${smallFile}`], 0), [
      expected[0],
      { larger: true },
      { larger: true },
    ]);
    return Promise.resolve();
  });
});

Deno.test("a path that is not a regular file is reported and not opened", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/f"), "content");
    symlinkSync("d/f", join(root, "link"));
    symlinkSync("d", join(root, "folder"));
    const [absent, below, link, folder, directory] = digestFiles(
      root,
      ["none", "d/f/x", "link", "folder/f", "d"],
      smallFile,
    );
    assert.deepEqual([absent, below], [{ absent: true }, { absent: true }]);
    for (const [found, kind] of [[link, "link"], [folder, "link"], [directory, "directory"]]) {
      assert.match(
        (found as { unsafe: { message: string } }).unsafe.message,
        new RegExp(`it is a .*${kind}$`),
      );
    }
    return Promise.resolve();
  });
});

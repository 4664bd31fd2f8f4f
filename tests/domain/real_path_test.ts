import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isWithin, realPath, withAncestors } from "../../src/domain/real_path.ts";

Deno.test("a real path resolves the links of its existing part and keeps the rest", () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "stella-")));
  symlinkSync(base, join(base, "link"));
  assert.equal(realPath(join(base, "link/new/file")), join(base, "new/file"));
  assert.equal(realPath("new/file"), join(realpathSync("."), "new/file"));
  Deno.removeSync(base, { recursive: true });
});

Deno.test("a directory contains itself and everything below it, but no sibling with the same prefix", () => {
  assert.deepEqual(
    ["/a", "/a/b", "/ab", "/"].map((path) => isWithin(path, "/a")),
    [true, true, false, false],
  );
  assert(isWithin("/a", "/"));
});

Deno.test("ancestors end with the root, or with the directory that a relative path starts from", () => {
  assert.deepEqual([...withAncestors("/a/b")], ["/a/b", "/a", "/"]);
  assert.deepEqual([...withAncestors("a/b")], ["a/b", "a", "."]);
});

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ioError, StellaError } from "../../src/errors.ts";
import { rename, syncDirectory, writeNew } from "../../src/bundle/durable.ts";
import { withDirectory, writeFiles } from "./fixture.ts";

Deno.test("writeNew gives exactly the mode that was asked for, whatever the umask", async () => {
  await withDirectory((root) => {
    for (const umask of [0o000, 0o022, 0o077, 0o777]) {
      const before = process.umask(umask);
      try {
        for (const mode of [0o600, 0o644, 0o755]) {
          const path = join(root, `${umask}-${mode}`);
          writeNew(path, "text", mode);
          assert.equal(statSync(path).mode & 0o777, mode);
          assert.equal(readFileSync(path, "utf8"), "text");
        }
      } finally {
        process.umask(before);
      }
    }
  });
});

Deno.test("writeNew never touches what exists, be it a dangling link", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "a": "old" });
    symlinkSync(join(root, "target"), join(root, "link"));
    for (const name of ["a", "link"]) {
      assert.throws(() => writeNew(join(root, name), "new", 0o644), (error) => {
        return error instanceof StellaError && error.code === "usage" &&
          /EEXIST|exists/.test(error.message);
      });
    }
    assert.equal(readFileSync(join(root, "a"), "utf8"), "old");
    assert.ok(!existsSync(join(root, "target")));
  });
});

Deno.test("an error of the medium is code 12 with a hint, any other is code 2", () => {
  const wrapped = (code: string) =>
    ioError("Cannot write", "x", Object.assign(new Error("e"), { code }));
  assert.deepEqual([wrapped("ENOSPC").exitCode, wrapped("EIO").exitCode], [12, 12]);
  assert.match(wrapped("EDQUOT").hint ?? "", /free space/);
  assert.match(wrapped("EROFS").hint ?? "", /read-only/);
  assert.deepEqual([wrapped("EACCES").exitCode, wrapped("ENOENT").exitCode], [2, 2]);
});

Deno.test("rename and syncDirectory say which path failed", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "a": "1", "b": "2" });
    rename(join(root, "a"), join(root, "b"));
    assert.equal(readFileSync(join(root, "b"), "utf8"), "1");
    assert.throws(() => rename(join(root, "a"), join(root, "c")), /Cannot give its name to .*c"/);
    mkdirSync(join(root, "d"));
    chmodSync(join(root, "d"), 0o755);
    syncDirectory(join(root, "d"));
    assert.throws(() => syncDirectory(join(root, "none")), /Cannot sync .*none/);
  });
});

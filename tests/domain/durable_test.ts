import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { StellaError } from "../../src/domain/errors.ts";
import { ioError } from "../../src/domain/io_errors.ts";
import { rename, syncDirectory, writeNew } from "../../src/domain/durable.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";

Deno.test("writeNew sets exactly the requested mode, whatever the umask", async () => {
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

Deno.test("writeNew never overwrites an existing file or a dangling link", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "a": "old" });
    symlinkSync(join(root, "target"), join(root, "link"));
    for (const name of ["a", "link"]) {
      assert.throws(() => writeNew(join(root, name), "new", 0o644), (error) => {
        return error instanceof StellaError && error.kind === "conflict" &&
          /: it exists already$/.test(error.message);
      });
    }
    assert.equal(readFileSync(join(root, "a"), "utf8"), "old");
    assert.ok(!existsSync(join(root, "target")));
  });
});

Deno.test("a path or I/O error is code 12 with a plain message, and an existing file is code 14", () => {
  const wrapped = (code: string) =>
    ioError("Cannot write", "x", Object.assign(new Error(`${code}: noise, open 'x'`), { code }));
  const media = ["ENOSPC", "EIO", "ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "ENAMETOOLONG", "EACCES"];
  for (const code of [...media, "EPERM", "EMFILE", "EDQUOT", "EROFS", "EFBIG"]) {
    const { exitCode, message } = wrapped(code);
    assert.deepEqual([exitCode, /noise|E[A-Z]{3}/.test(message)], [12, false], message);
  }
  assert.equal(wrapped("ENOENT").message, 'Cannot write "x": no such file or directory');
  assert.match(wrapped("EDQUOT").hint ?? "", /free space/);
  assert.match(wrapped("EROFS").hint ?? "", /another target/);
  assert.deepEqual([wrapped("EEXIST").exitCode, wrapped("ENOTEMPTY").exitCode], [14, 14]);
  assert.deepEqual([wrapped("EWHAT").exitCode, wrapped("").exitCode], [12, 12]);
});

Deno.test("rename and syncDirectory name the path that failed", async () => {
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

/** Files of the state directory that several processes change at once. */
import assert from "node:assert/strict";
import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changeStateFile, readStateFile } from "../../src/output/state_file.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { refusal } from "../support/run_export.ts";

const increase = (present: Uint8Array | undefined) => {
  const number = present === undefined ? 0 : Number(new TextDecoder().decode(present));
  return new TextEncoder().encode(String(number + 1));
};

Deno.test("concurrent changes of a state file are not lost", () =>
  withDirectory(async (root) => {
    const path = join(root, "new", "numbers");
    const changes = Array.from(
      { length: 50 },
      (_, i) => changeStateFile(path, `u${i}`, increase),
    );
    await Promise.all(changes);
    assert.equal(readFileSync(path, "utf8"), "50");
    assert.equal(statSync(join(root, "new")).mode & 0o777, 0o700);
  }));

Deno.test("a change of another process waits until the first one is done", () =>
  withDirectory(async (root) => {
    const path = join(root, "numbers");
    const script = `
      import { changeStateFile } from ${
      JSON.stringify(import.meta.resolve("../../src/output/state_file.ts"))
    };
      const up = (was) => new TextEncoder().encode(String(Number(new TextDecoder().decode(was)) + 1));
      for (let i = 0; i < 40; i++) {
        await changeStateFile(${JSON.stringify(path)}, crypto.randomUUID(), up);
      }
    `;
    writeFileSync(path, "0");
    const program = join(root, "change.ts");
    writeFileSync(program, script);
    const args = ["run", "-A", "--no-check", "--quiet", program];
    const ended = await Promise.all(
      [1, 2, 3].map(() =>
        new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "inherit" }).output()
      ),
    );
    assert.deepEqual(ended.map(({ code }) => code), [0, 0, 0]);
    assert.equal(readFileSync(path, "utf8"), "120");
  }));

Deno.test("a file that need not change is not replaced, and a failed change leaves it", () =>
  withDirectory(async (root) => {
    const path = join(root, "numbers");
    await changeStateFile(path, "a", increase);
    const before = statSync(path).ino;
    await changeStateFile(path, "b", () => undefined);
    await assert.rejects(changeStateFile(path, "c", () => {
      throw new Error("no");
    }));
    assert.equal(statSync(path).ino, before);
    await changeStateFile(path, "d", increase);
    assert.equal(new TextDecoder().decode(readStateFile(path)), "2");
  }));

Deno.test("links in place of the file or its lock are not followed", () =>
  withDirectory(async (root) => {
    const other = join(root, "other");
    writeFileSync(other, "1");
    symlinkSync(other, join(root, "file"));
    symlinkSync(other, join(root, "free.lock"));
    for (const name of ["file", "free"]) {
      const { code } = await refusal(() => changeStateFile(join(root, name), "u", increase));
      assert.equal(code, 14, name);
    }
    assert.equal(readFileSync(other, "utf8"), "1");
  }));

/**
 * Inputs that change while they are read are an error, never a bundle that differs from its source.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { onProgress, refusal, run, snapshot } from "../support/run_export.ts";

type Change = (root: string) => void;

/** Exports `in` and makes `change` when the first bytes have been read. */
async function changing(
  change: Change,
): Promise<{ code: number; message: string; left: string[] }> {
  return await withDirectory(async (root) => {
    writeFiles(root, {
      "in/a": "x".repeat(3 << 20),
      "in/b": "second",
      "in/c/d": "third",
      "target": "second",
    });
    for (const path of ["in/a", "in/b", "in/c/d"]) utimesSync(join(root, path), 1.7e9, 1.7e9);
    const out = join(root, "out");
    let changed = false;
    const reported = onProgress((stage, done) => {
      if (changed || stage !== "read" || done === 0) return;
      changed = true;
      change(root);
    });
    const { code, message } = await refusal(() => run(out, join(root, "in"), reported));
    assert.ok(changed, "the change happened");
    return { code, message, left: Object.keys(snapshot(out)) };
  });
}

const changes: [string, Change, RegExp][] = [
  [
    "the file grows",
    (root) => appendFileSync(join(root, "in/a"), "y"),
    /in\/a.* is not what it was/,
  ],
  [
    "the file shrinks",
    (root) => truncateSync(join(root, "in/a"), 1 << 20),
    /in\/a.* is not what it was/,
  ],
  ["the file is written in place", (root) => {
    const fd = Deno.openSync(join(root, "in/a"), { write: true });
    fd.writeSync(new Uint8Array(1));
    fd.close();
  }, /in\/a.* is not what it was/],
  ["a later file grows", (root) => appendFileSync(join(root, "in/b"), "y"), / bytes are now /],
  [
    "a later file is rewritten",
    (root) => writeFileSync(join(root, "in/b"), "SECOND"),
    /written after/,
  ],
  ["a later file goes", (root) => rmSync(join(root, "in/b")), /in\/b/],
  ["a later file becomes a link to the same content", (root) => {
    rmSync(join(root, "in/b"));
    symlinkSync(join(root, "target"), join(root, "in/b"));
  }, /Cannot|changed/],
  ["a later file becomes a directory", (root) => {
    rmSync(join(root, "in/b"));
    mkdirSync(join(root, "in/b"));
  }, /Cannot|changed/],
  ["a file is added", (root) => writeFileSync(join(root, "in/c/e"), ""), /3 files of .* are now 4/],
  [
    "a link is added",
    (root) => symlinkSync("d", join(root, "in/c/e")),
    /c\/e.* is not what it was/,
  ],
  [
    "a directory goes",
    (root) => renameSync(join(root, "in/c"), join(root, "gone")),
    /Cannot|are now/,
  ],
];

Deno.test("an export whose inputs change while they are read fails and leaves no files", async () => {
  for (const [about, change, reason] of changes) {
    const { code, message, left } = await changing(change);
    // A removed input cannot be read: code 12. Any other change is code 14.
    const expected = /: no such file or directory$/.test(message) ? 12 : 14;
    assert.equal(code, expected, `${about}: ${message}`);
    assert.match(message, reason, about);
    assert.deepEqual(left, [], about);
  }
});

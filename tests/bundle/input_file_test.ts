/** A file of the inputs is read into its hole as it was when it was looked at, or refused. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../../src/bundle/hash.ts";
import { asInput, fillHole, lookAt } from "../../src/bundle/input_file.ts";
import { withDirectory } from "./fixture.ts";

const content = "content of the file";

/** Looks at a file, changes something, and fills its hole in a chunk of 100 bytes. */
async function filled(change: (path: string) => void = () => {}) {
  return await withDirectory((root) => {
    const path = join(root, "file");
    writeFileSync(path, content);
    writeFileSync(join(root, "other"), content);
    utimesSync(path, 1.7e9, 1.7e9);
    utimesSync(join(root, "other"), 1.7e9, 1.7e9);
    const hole = { ...asInput(path, lookAt(path)), at: 10 };
    change(path);
    const chunk = new Uint8Array(100);
    const digest = fillHole(chunk, hole);
    return Promise.resolve({ chunk, digest });
  });
}

Deno.test("a hole gets the bytes of its file, and nothing beside it is touched", async () => {
  const { chunk, digest } = await filled();
  assert.equal(digest, sha256(content));
  const end = 10 + content.length;
  assert.equal(new TextDecoder().decode(chunk.subarray(10, end)), content);
  assert.ok([...chunk.subarray(0, 10), ...chunk.subarray(end)].every((byte) => byte === 0));
});

const changes: [string, (path: string) => void, RegExp][] = [
  ["it grew", (path) => appendFileSync(path, "more"), /file" is not what it was/],
  ["it shrank", (path) => writeFileSync(path, "less"), /file" is not what it was/],
  ["it was written", (path) => writeFileSync(path, content), /file" is not what it was/],
  [
    "another took its place",
    (path) => renameSync(join(dirname(path), "other"), path),
    /is not what it was/,
  ],
  ["a link to the same content took its place", (path) => {
    rmSync(path);
    symlinkSync("other", path);
  }, /file" is not what it was/],
];

Deno.test("a file that is not what it was is refused", async () => {
  for (const [about, change, reason] of changes) {
    await assert.rejects(filled(change), { code: "usage", message: reason }, about);
  }
  const gone = { code: "media", message: /Cannot open .*file": no such file/ };
  await assert.rejects(filled((path) => rmSync(path)), gone);
});

Deno.test("a link that was there only while the file was opened is found out", async () => {
  await withDirectory((root) => {
    const [path, aside, secret] = ["file", "aside", "secret"].map((one) => join(root, one));
    for (const one of [path!, secret!]) {
      writeFileSync(one, content);
      utimesSync(one, 1.7e9, 1.7e9);
    }
    const hole = { ...asInput(path!, lookAt(path!)), at: 0 };
    renameSync(path!, aside!);
    symlinkSync(secret!, path!);
    const open = Deno.openSync;
    try {
      Deno.openSync = (...how) => {
        const file = open(...how);
        renameSync(aside!, path!);
        return file;
      };
      assert.throws(() => fillHole(new Uint8Array(100), hole), /file" is not what it was/);
    } finally {
      Deno.openSync = open;
    }
    fillHole(new Uint8Array(100), hole);
    return Promise.resolve();
  });
});

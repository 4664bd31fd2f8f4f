/** Unpacking into a directory: all names at once or none, nothing replaced, and what a killed unpack left is no obstacle. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/errors.ts";
import { refuseFilled, Unpacked } from "../../src/export/unpacked.ts";
import { withDirectory } from "../bundle/fixture.ts";
import { snapshot } from "./run.ts";

const uuid = "00000000-0000-7000-8000-000000000001";
const other = ".stella-00000000-0000-7000-8000-0000000000ff.partial";
const text = new TextEncoder();

const files: [string, number, string][] = [
  ["a-b/x", 0o644, "1"],
  ["a/b/c/deep", 0o644, "22"],
  ["a/b/run", 0o755, "333"],
  ["a/z", 0o644, ""],
  ["top", 0o755, "4444"],
];

function write(unpacked: Unpacked, all = files): void {
  for (const [path, mode, content] of all) {
    const take = unpacked.begin({ path, mode });
    for (const character of content) take(text.encode(character));
  }
}

function thrown(work: () => unknown): StellaError {
  try {
    work();
  } catch (error) {
    if (error instanceof StellaError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

Deno.test("files get their names, modes and folders whatever the umask, and nothing else stays", async () => {
  await withDirectory((root) => {
    const directory = join(root, "new/below");
    const before = Deno.umask(0o077);
    try {
      for (const count of [files.length, 10_001]) {
        const at = join(directory, `${count}`);
        const unpacked = new Unpacked({ directory: at, uuid, files: count });
        write(unpacked);
        assert.deepEqual(readdirSync(at), [`.stella-${uuid}.partial`], "no name before the commit");
        unpacked.commit();
        unpacked.close();
        assert.deepEqual(snapshot(at), {
          "a-b/": "755",
          "a-b/x": "644 1",
          "a/": "755",
          "a/b/": "755",
          "a/b/c/": "755",
          "a/b/c/deep": "644 22",
          "a/b/run": "755 333",
          "a/z": "644 ",
          top: "755 4444",
        });
      }
    } finally {
      Deno.umask(before);
    }
  });
});

Deno.test("without a commit the directory is as it was: absent, or empty", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, "old"));
    for (const name of ["new", "old"]) {
      const unpacked = new Unpacked({ directory: join(root, name), uuid, files: 1 });
      write(unpacked);
      unpacked.close();
    }
    assert.deepEqual(readdirSync(root), ["old"]);
    assert.deepEqual(readdirSync(join(root, "old")), []);
  });
});

Deno.test("a directory that holds anything is refused, and left as it is", async () => {
  await withDirectory((root) => {
    writeFileSync(join(root, "mine"), "x");
    for (
      const work of [
        () => refuseFilled(root),
        () => new Unpacked({ directory: root, uuid, files: 1 }),
      ]
    ) {
      const { code, message, hint } = thrown(work);
      assert.deepEqual([code, hint], ["usage", "name a directory that is new or empty"]);
      assert.match(message, /it holds "mine"/);
    }
    assert.deepEqual(readdirSync(root), ["mine"]);
  });
});

Deno.test("what a killed unpack left is cleared; one that was giving names is told", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, other, "payload/deep"), { recursive: true });
    const unpacked = new Unpacked({ directory: root, uuid, files: 1 });
    write(unpacked);
    unpacked.commit();
    unpacked.close();
    assert.deepEqual(readdirSync(root).sort(), ["a", "a-b", "top"]);
    mkdirSync(join(root, other));
    assert.match(thrown(() => refuseFilled(root)).hint!, /an unpack was interrupted there/);
  });
});

Deno.test("two unpacks into one directory do not mix", async () => {
  await withDirectory((root) => {
    const first = new Unpacked({ directory: root, uuid, files: 1 });
    const second = uuid.replace(/1$/, "2");
    const { code, message } = thrown(() =>
      new Unpacked({ directory: root, uuid: second, files: 1 })
    );
    assert.equal(code, "usage");
    assert.match(message, /another one runs there/);
    write(first);
    first.commit();
    first.close();
    assert.deepEqual(readdirSync(root).sort(), ["a", "a-b", "top"]);
  });
});

Deno.test("a name that somebody took meanwhile ends it, and what had its name loses it again", async () => {
  await withDirectory((root) => {
    const unpacked = new Unpacked({ directory: root, uuid, files: 1 });
    write(unpacked);
    writeFileSync(join(root, "top"), "theirs");
    const { code, message } = thrown(() => unpacked.commit());
    unpacked.close();
    assert.deepEqual([code, message], [
      "usage",
      'Cannot unpack "top": something else took the name',
    ]);
    assert.deepEqual(snapshot(root), { top: "644 theirs" });
  });
});

Deno.test("two names that the target takes for one end it", async () => {
  await withDirectory((root) => {
    const unpacked = new Unpacked({ directory: root, uuid, files: 2 });
    unpacked.begin({ path: "a/x", mode: 0o644 });
    const { code, message, hint } = thrown(() => unpacked.begin({ path: "a/x", mode: 0o644 }));
    unpacked.close();
    assert.equal(code, "unsafe");
    assert.match(message, /the name is taken already/);
    assert.match(hint!, /two names of the bundle for one/);
    assert.deepEqual(readdirSync(root), []);
  });
});

Deno.test("thousands of names directly below the directory come through the list of names", async () => {
  await withDirectory((root) => {
    const unpacked = new Unpacked({ directory: root, uuid, files: 20_000 });
    const names = Array.from({ length: 3000 }, (_, i) => `\u00e9-${String(i).padStart(40, "0")}`);
    write(unpacked, names.map((name) => [name, 0o644, "x"]));
    unpacked.commit();
    unpacked.close();
    assert.deepEqual(readdirSync(root).sort(), names.sort());
  });
});

/**
 * Unpacking into a directory: all names at once or none, nothing replaced, and what a killed unpack
 * left is no obstacle.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { refuseNonEmpty, Unpacked, type UnpackTarget } from "../../src/output/unpacked.ts";
import type { Unsynced } from "../../src/output/sync_queue.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { snapshot } from "../support/run_export.ts";

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
    const take = unpacked.begin({ path, mode, size: content.length });
    for (const character of content) take?.(text.encode(character));
  }
}

function into(directory: string, more: Partial<UnpackTarget> = {}): Unpacked {
  return new Unpacked({ directory, uuid, files: 5, bytes: 10, ...more });
}

async function commit(unpacked: Unpacked): Promise<void> {
  await unpacked.synced();
  unpacked.commit();
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
  await withDirectory(async (root) => {
    const directory = join(root, "new/below");
    const before = Deno.umask(0o077);
    try {
      for (const isVolatile of [true, false]) {
        const at = join(directory, `${isVolatile}`);
        const unpacked = into(at, { isVolatile });
        write(unpacked);
        assert.deepEqual(readdirSync(at), [`.stella-${uuid}.partial`], "no name before the commit");
        await commit(unpacked);
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

Deno.test("without a commit the directory stays absent or empty", async () => {
  await withDirectory((root) => {
    mkdirSync(join(root, "old"));
    for (const name of ["new", "old"]) {
      const unpacked = into(join(root, name));
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
        () => refuseNonEmpty(root),
        () => into(root),
      ]
    ) {
      const { kind, message, hint } = thrown(work);
      assert.deepEqual([kind, hint], ["conflict", "choose a new or empty directory"]);
      assert.match(message, /the directory holds "mine"/);
    }
    assert.deepEqual(readdirSync(root), ["mine"]);
  });
});

Deno.test("remains of a killed unpack are removed; one killed while renaming is reported", async () => {
  await withDirectory(async (root) => {
    mkdirSync(join(root, other, "payload/deep"), { recursive: true });
    const unpacked = into(root);
    write(unpacked);
    await commit(unpacked);
    unpacked.close();
    assert.deepEqual(readdirSync(root).sort(), ["a", "a-b", "top"]);
    mkdirSync(join(root, other));
    assert.match(thrown(() => refuseNonEmpty(root)).hint!, /an interrupted unpack left there/);
  });
});

Deno.test("two unpacks into one directory do not mix", async () => {
  await withDirectory(async (root) => {
    const first = into(root);
    const second = uuid.replace(/1$/, "2");
    const { kind, message } = thrown(() => into(root, { uuid: second }));
    assert.equal(kind, "busy");
    assert.match(message, /another unpack is running there/);
    write(first);
    await commit(first);
    first.close();
    assert.deepEqual(readdirSync(root).sort(), ["a", "a-b", "top"]);
  });
});

Deno.test("a name taken meanwhile ends the publication, and files already renamed are rolled back", async () => {
  await withDirectory(async (root) => {
    const unpacked = into(root);
    write(unpacked);
    writeFileSync(join(root, "top"), "theirs");
    const { kind, message } = (await unpacked.synced(), thrown(() => unpacked.commit()));
    unpacked.close();
    assert.deepEqual([kind, message], [
      "conflict",
      'Cannot unpack "top": a file with this name was created meanwhile',
    ]);
    assert.deepEqual(snapshot(root), { top: "644 theirs" });
  });
});

Deno.test("two names that collide on the target end the unpack", async () => {
  await withDirectory((root) => {
    const unpacked = into(root);
    unpacked.begin({ path: "a/x", mode: 0o644, size: 1 });
    const { kind, message, hint } = thrown(() =>
      unpacked.begin({ path: "a/x", mode: 0o644, size: 1 })
    );
    unpacked.close();
    assert.equal(kind, "unsafe");
    assert.match(message, /the name is already taken/);
    assert.match(hint!, /cannot tell two names of the bundle apart/);
    assert.deepEqual(readdirSync(root), []);
  });
});

Deno.test("a file in place of the partial directory is not reported as a name collision", async () => {
  await withDirectory((root) => {
    writeFileSync(join(root, `.stella-${uuid}.partial`), "");
    assert.equal(thrown(() => into(root)).reason, "output_exists");
  });
});

Deno.test("thousands of names directly below the directory are published", async () => {
  await withDirectory(async (root) => {
    const unpacked = into(root, { files: 3000, bytes: 3000 });
    const names = Array.from({ length: 3000 }, (_, i) => `\u00e9-${String(i).padStart(40, "0")}`);
    write(unpacked, names.map((name) => [name, 0o644, "x"]));
    await commit(unpacked);
    unpacked.close();
    assert.deepEqual(readdirSync(root).sort(), names.sort());
  });
});

Deno.test("every file and every directory is synced before the first one gets its name", async () => {
  await withDirectory(async (root) => {
    const synced: Unsynced[] = [];
    const sync = async (item: Unsynced) => {
      assert.deepEqual(readdirSync(root), [`.stella-${uuid}.partial`]);
      await Promise.resolve();
      synced.push(item);
    };
    const unpacked = into(root, { sync });
    write(unpacked);
    await commit(unpacked);
    unpacked.close();
    const payload = join(root, `.stella-${uuid}.partial/payload`);
    const paths = synced.map(({ path }) => path.slice(payload.length + 1)).sort();
    const folders = ["", "a", "a-b", "a/b", "a/b/c"];
    assert.deepEqual(paths, [...folders, ...files.map(([path]) => path)].sort());
    assert.equal(synced.reduce((sum, { bytes }) => sum + bytes, 0), 10);
  });
});

Deno.test("a late sync failure is code 12, and no file gets its final name", async () => {
  await withDirectory(async (root) => {
    const fault = new StellaError("medium_failed", "Cannot sync: EIO");
    const last = join(root, `.stella-${uuid}.partial/payload/top`);
    const sync = ({ path }: Unsynced) => path === last ? Promise.reject(fault) : Promise.resolve();
    const unpacked = into(root, { sync });
    write(unpacked);
    await assert.rejects(commit(unpacked), fault);
    unpacked.close();
    assert.equal(fault.exitCode, 12);
    assert.deepEqual(readdirSync(root), []);
  });
});

Deno.test("a large file is synced while it is written", async () => {
  await withDirectory(async (root) => {
    const synced: Unsynced[] = [];
    const mebibyte = new Uint8Array(1024 * 1024);
    const unpacked = into(root, {
      files: 1,
      bytes: 70 * mebibyte.length,
      sync: (item) => Promise.resolve(void synced.push(item)),
    });
    const take = unpacked.begin({ path: "large", mode: 0o644, size: 70 * mebibyte.length });
    for (let i = 0; i < 70; i++) take?.(mebibyte);
    await unpacked.synced();
    unpacked.close();
    assert.deepEqual(
      synced.filter(({ kind }) => kind !== "directory").map(({ kind, bytes }) => [kind, bytes]),
      [
        ["part of a file", 32 * mebibyte.length],
        ["part of a file", 32 * mebibyte.length],
        ["file", 6 * mebibyte.length],
      ],
    );
  });
});

Deno.test("at most the declared size is written, and no oversized file gets its final name", async () => {
  const cases: [declared: Partial<UnpackTarget>, written: Record<string, string>][] = [
    [{ files: 2 }, { "a-b/x": "1", "a/b/c/deep": "22" }],
    [{ bytes: 3 }, { "a-b/x": "1", "a/b/c/deep": "22" }],
    [{ bytes: 5 }, { "a-b/x": "1", "a/b/c/deep": "22" }],
  ];
  for (const [declared, written] of cases) {
    await withDirectory(async (root) => {
      const unpacked = into(root, declared);
      write(unpacked);
      assert.equal(unpacked.isExceeded, true);
      const found = Object.entries(snapshot(join(root, `.stella-${uuid}.partial/payload`)));
      const content = found.filter(([path]) => !path.endsWith("/"));
      assert.deepEqual(
        Object.fromEntries(content.map(([path, one]) => [path, one.slice(4)])),
        written,
      );
      await assert.rejects(commit(unpacked), /exceeds what is declared/);
      unpacked.close();
      assert.deepEqual(readdirSync(root), []);
    });
  }
});

Deno.test("a file longer than its header declares is truncated to the declared size", async () => {
  await withDirectory((root) => {
    const unpacked = into(root, { files: 1, bytes: 4 });
    const take = unpacked.begin({ path: "a", mode: 0o644, size: 4 });
    for (let i = 0; i < 1000; i++) take?.(text.encode("xx"));
    assert.equal(unpacked.isExceeded, true);
    assert.equal(readFileSync(join(root, `.stella-${uuid}.partial/payload/a`), "utf8"), "xxxx");
    unpacked.close();
  });
});

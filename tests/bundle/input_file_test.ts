/** An input file is read into its region unchanged since it was checked, or it is refused. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import {
  asInput,
  type DeferredRegion,
  fillDeferredRegions,
  openInput,
  statFolder,
  statInput,
} from "../../src/bundle/input_file.ts";
import { PrivateFiles } from "../../src/bundle/private_files.ts";
import { requiring } from "../support/needs.ts";
import { noPrivateFiles, withDirectory, writeFiles } from "../support/bundle_fixture.ts";

const content = "content of the file";

function regionOf(path: string, at = 0): DeferredRegion {
  return { ...asInput(path, statInput(path), statFolder(dirname(path))), at };
}

/** Checks a file, runs `change`, and fills the region of the file in a chunk of 100 bytes. */
async function filled(change: (path: string) => void = () => {}) {
  return await withDirectory((root) => {
    const path = join(root, "file");
    writeFileSync(path, content);
    writeFileSync(join(root, "other"), content);
    utimesSync(path, 1.7e9, 1.7e9);
    utimesSync(join(root, "other"), 1.7e9, 1.7e9);
    const region = regionOf(path, 10);
    change(path);
    const chunk = new Uint8Array(100);
    const [digest] = fillDeferredRegions(chunk, [region], noPrivateFiles);
    return Promise.resolve({ chunk, digest });
  });
}

Deno.test("a deferred region gets the bytes of its file, and no other byte changes", async () => {
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

Deno.test("a file that changed is refused", async () => {
  for (const [about, change, reason] of changes) {
    await assert.rejects(filled(change), { kind: "conflict", message: reason }, about);
  }
  const gone = { kind: "io", message: /Cannot open .*file": no such file/ };
  await assert.rejects(filled((path) => rmSync(path)), gone);
});

/** Runs `work` between opening a file and checking its path. */
class WhileOpen extends PrivateFiles {
  constructor(readonly work: () => void) {
    super({ files: [], directories: [] }, Date.now);
  }

  override has(file: Parameters<PrivateFiles["has"]>[0]): boolean {
    this.work();
    return super.has(file);
  }
}

Deno.test("a symbolic link that exists only while the file is opened is detected", async () => {
  await withDirectory((root) => {
    const [path, aside, secret] = ["file", "aside", "secret"].map((one) => join(root, one));
    for (const one of [path!, secret!]) {
      writeFileSync(one, content);
      utimesSync(one, 1.7e9, 1.7e9);
    }
    const region = regionOf(path!);
    renameSync(path!, aside!);
    symlinkSync(secret!, path!);
    const chunk = new Uint8Array(100);
    const back = new WhileOpen(() => renameSync(aside!, path!));
    assert.throws(() => fillDeferredRegions(chunk, [region], back), /file" is not what it was/);
    assert.deepEqual(chunk, new Uint8Array(100), "nothing of it was read");
    fillDeferredRegions(chunk, [region], noPrivateFiles);
    return Promise.resolve();
  });
});

Deno.test("a directory that is replaced by a link is detected, by its files or by itself", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "in/d/file": content, "other/file": content });
    const [folder, aside] = [join(root, "in/d"), join(root, "in/aside")];
    const exchange = () => {
      renameSync(folder, aside);
      symlinkSync(join(root, "other"), folder);
    };
    const undo = () => {
      rmSync(folder);
      renameSync(aside, folder);
    };
    const region = regionOf(join(folder, "file"));
    const filled = (privateFiles: PrivateFiles) =>
      fillDeferredRegions(new Uint8Array(100), [region], privateFiles);
    exchange();
    assert.throws(() => filled(noPrivateFiles), /in\/d" is not what it was/, "before it is opened");
    undo();
    assert.throws(() => filled(new WhileOpen(exchange)), /in\/d" is not what it was/, "after");
    undo();
    const opened = openInput(region, noPrivateFiles);
    exchange();
    assert.throws(() => opened.assertSame(), /file" is not what it was/);
    opened.close();
    undo();
    // The same file through a hard link: only the directory differs.
    rmSync(join(root, "other/file"));
    linkSync(join(folder, "file"), join(root, "other/file"));
    assert.throws(() => filled(new WhileOpen(exchange)), /in\/d" is not what it was/);
    undo();
    filled(noPrivateFiles);
    return Promise.resolve();
  });
});

Deno.test("a private file is recognized by its handle and refused, and none of its bytes are kept", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "state/keys/signing.key": content, "in/a": content });
    const privateFiles = new PrivateFiles(
      { files: [], directories: [join(root, "state")] },
      Date.now,
    );
    mkdirSync(join(root, "in/d"));
    linkSync(join(root, "state/keys/signing.key"), join(root, "in/d/key"));
    const chunk = new Uint8Array(100);
    assert.throws(
      () => fillDeferredRegions(chunk, [regionOf(join(root, "in/d/key"))], privateFiles),
      {
        kind: "unsafe",
        message: /Cannot pack .*key": it is private to stella/,
      },
    );
    assert.deepEqual(chunk, new Uint8Array(100));
    fillDeferredRegions(chunk, [regionOf(join(root, "in/a"))], privateFiles);
    return Promise.resolve();
  });
});

Deno.test(requiring(
  ["mkfifo"],
  "a named pipe in place of a file is refused without blocking",
  async () => {
    await assert.rejects(
      filled((path) => {
        rmSync(path);
        new Deno.Command("mkfifo", { args: [path] }).outputSync();
      }),
      { kind: "conflict", message: /file" is not what it was/ },
    );
  },
));

Deno.test("a directory of a source that has become a file is refused as changed", async () => {
  await withDirectory((root) => {
    writeFiles(root, { folder: "now a file" });
    assert.throws(() => statFolder(join(root, "folder")), {
      reason: "inputs_changed",
      message: /folder" is not what it was when the export began$/,
    });
  });
});

/** Private files are recognized by device and inode, including files that are created later. */
import assert from "node:assert/strict";
import { linkSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PrivateFiles } from "../../src/bundle/private_files.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";

/** The identity of a file as its open handle reports it. */
function shownBy(path: string) {
  const { dev, ino, ctimeMs } = statSync(path);
  return { dev, ino, changed: ctimeMs };
}

Deno.test("files and everything below directories are private, whatever path names them", async () => {
  await withDirectory((root) => {
    writeFiles(root, {
      "state/keys/signing.key": "1",
      "state/stella.db": "2",
      "state/store/t/p/1/payload/x": "3",
      "etc/pass": "4",
      "elsewhere/kept.key": "5",
      "in/a": "6",
    });
    const at = (path: string) => join(root, path);
    symlinkSync(at("elsewhere"), at("state/linked"));
    symlinkSync(at("state"), at("state/keys/circle"));
    linkSync(at("etc/pass"), at("in/hard"));
    symlinkSync(at("etc/pass"), at("pass"));
    const files = new PrivateFiles({
      files: [at("pass"), at("not/there")],
      directories: [at("state"), at("nowhere")],
    }, Date.now);
    const isPrivate = (path: string) => files.has(shownBy(at(path)));
    for (
      const path of [
        "state",
        "state/keys/signing.key",
        "state/stella.db",
        "state/store/t/p/1/payload/x",
        "elsewhere/kept.key",
        "in/hard",
      ]
    ) assert.ok(isPrivate(path), path);
    assert.deepEqual([isPrivate("in/a"), isPrivate("in")], [false, false]);
    return Promise.resolve();
  });
});

Deno.test("a file that is created or moved there after the listing is private, too", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "state/a": "", "in/old": "" });
    mkdirSync(join(root, "state/store"));
    const files = new PrivateFiles({ files: [], directories: [join(root, "state")] }, Date.now);
    assert.equal(files.has(shownBy(join(root, "in/old"))), false);
    writeFileSync(join(root, "state/store/new"), "");
    assert.ok(files.has(shownBy(join(root, "state/store/new"))));
    renameSync(join(root, "in/old"), join(root, "state/moved"));
    assert.ok(files.has(shownBy(join(root, "state/moved"))));
    return Promise.resolve();
  });
});

Deno.test("a file that has not changed for a long time does not cause a new listing", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "state/a": "", "in/a": "" });
    let taken = 0;
    const now = () => Date.now() + 10_000 + taken++;
    const files = new PrivateFiles({ files: [], directories: [join(root, "state")] }, now);
    for (let i = 0; i < 5; i++) assert.equal(files.has(shownBy(join(root, "in/a"))), false);
    assert.equal(taken, 1);
    return Promise.resolve();
  });
});

Deno.test("a directory that an export prepares for itself is not treated as private", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "state/tmp/1/prepared/made": "", "state/tmp/2/prepared/made": "" });
    const at = (path: string) => join(root, path);
    const files = new PrivateFiles(
      { files: [], directories: [at("state/tmp"), at("state")] },
      Date.now,
    )
      .except(at("state/tmp/1/prepared"));
    assert.equal(files.has(shownBy(at("state/tmp/1/prepared/made"))), false);
    assert.ok(files.has(shownBy(at("state/tmp/2/prepared/made"))));
    return Promise.resolve();
  });
});

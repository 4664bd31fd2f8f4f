/** Data of a provider is read like an export's inputs: never from a private file or a pipe. */
import assert from "node:assert/strict";
import { linkSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PrivateFiles } from "../../src/bundle/private_files.ts";
import { OriginalsDigest } from "../../src/risk/read.ts";
import { requiring } from "../support/needs.ts";
import { noPrivateFiles, withDirectory, writeFiles } from "../support/bundle_fixture.ts";

const provider = { kind: "osv", name: "osv", onInvalid: "skip" } as const;
const listed = (path: string) => ({ path, carried: path });

Deno.test("a private file in a provider's directory is not read, whatever its name", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "state/keys/signing.key": "{}", "osv/a.json": "{}" });
    linkSync(join(root, "state/keys/signing.key"), join(root, "osv/b.json"));
    const privateFiles = new PrivateFiles(
      { files: [], directories: [join(root, "state")] },
      Date.now,
    );
    const path = join(root, "osv");
    const digest = new OriginalsDigest({ ...provider, path }, privateFiles);
    assert.throws(() => digest.open(path, listed("b.json")), {
      kind: "unsafe",
      message: /b.json": it is private to stella/,
    });
    digest.open(path, listed("a.json")).done();
    assert.equal(digest.files, 1);
    return Promise.resolve();
  });
});

Deno.test(requiring(
  ["mkfifo"],
  "a named pipe in a provider's directory is refused without blocking",
  async () => {
    await withDirectory((root) => {
      writeFiles(root, { "osv/a.json": "{}" });
      const path = join(root, "osv");
      new Deno.Command("mkfifo", { args: [join(root, "pipe")] }).outputSync();
      rmSync(join(path, "a.json"));
      renameSync(join(root, "pipe"), join(path, "a.json"));
      const digest = new OriginalsDigest({ ...provider, path }, noPrivateFiles);
      assert.throws(() => digest.open(path, listed("a.json")), /is not what it was/);
      return Promise.resolve();
    });
  },
));

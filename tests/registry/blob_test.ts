import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { directorySource } from "../../src/bundle/source.ts";
import { counted, fileBlob, memoryBlob } from "../../src/registry/blob.ts";
import { type FakeBundle, sha256, withBundle } from "./fake_bundle.ts";

const size = 4.5 * 1024 * 1024;

function archiveOf({ dir, manifest }: FakeBundle) {
  return fileBlob(directorySource(dir), manifest.files.find((file) => file.role === "archive")!);
}

Deno.test("a file is yielded whole, and again when it is opened again", () =>
  withBundle(async (bundle) => {
    const blob = archiveOf(bundle);
    for (let round = 0; round < 2; round++) {
      const pieces = await Array.fromAsync(blob.open());
      assert.equal(
        sha256(new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer())),
        blob.digest.slice(7),
      );
    }
  }, size));

Deno.test("the last piece of a file that differs is held back", () =>
  withBundle(async (bundle) => {
    const wrong = bundle.archive.map((byte, i) => i === 7 ? byte ^ 1 : byte);
    writeFileSync(join(bundle.dir, "advisories.tar"), wrong);
    let yielded = 0;
    const read = async () => {
      for await (const piece of archiveOf(bundle).open()) yielded += piece.length;
    };
    await assert.rejects(read(), { code: "digest" });
    assert.equal(yielded, 4 * 1024 * 1024);
  }, size));

Deno.test("what has gone out is told piece by piece", async () => {
  const seen: number[] = [];
  await Array.fromAsync(counted(memoryBlob(new Uint8Array(5)), (n) => seen.push(n)).open());
  assert.deepEqual(seen, [5]);
});

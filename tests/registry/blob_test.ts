import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { directorySource } from "../../src/bundle/source.ts";
import { BlobCursor, counted, fileBlob, memoryBlob } from "../../src/registry/blob.ts";
import { type FakeBundle, withBundle } from "../support/registry/fake_bundle.ts";

const size = 4.5 * 1024 * 1024;

function archiveOf({ dir, manifest }: FakeBundle) {
  return fileBlob(directorySource(dir), manifest.files.find((file) => file.role === "archive")!);
}

Deno.test("a file is yielded whole, and again when it is opened again", () =>
  withBundle(async (bundle) => {
    const blob = archiveOf(bundle);
    for (let round = 0; round < 2; round++) {
      const hash = createHash("sha256");
      for await (const bytes of blob.open()) hash.update(bytes);
      assert.equal(hash.digest("hex"), blob.digest.slice(7));
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
    await assert.rejects(read(), { kind: "differs" });
    assert.equal(yielded, 4 * 1024 * 1024);
  }, size));

Deno.test("sent bytes are reported piece by piece", async () => {
  const seen: number[] = [];
  await Array.fromAsync(counted(memoryBlob(new Uint8Array(5)), (n) => seen.push(n)).open());
  assert.deepEqual(seen, [5]);
});

Deno.test("a blob from an offset on is the rest of it, and still verified as a whole", () =>
  withBundle(async (bundle) => {
    const from = 1024 * 1024 + 7;
    const pieces: Uint8Array[] = [];
    for await (const bytes of archiveOf(bundle).open(from)) pieces.push(Uint8Array.from(bytes));
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(bundle.archive.subarray(from)));
    writeFileSync(
      join(bundle.dir, "advisories.tar"),
      bundle.archive.map((byte, i) => i === 7 ? byte ^ 1 : byte),
    );
    await assert.rejects(Array.fromAsync(archiveOf(bundle).open(from)), { kind: "differs" });
  }, size));

Deno.test("a cursor yields what follows without reading anew, and anything else by reading anew", () =>
  withBundle(async (bundle) => {
    let opened = 0;
    const blob = archiveOf(bundle);
    const cursor = new BlobCursor({ ...blob, open: (from) => (opened++, blob.open(from)) });
    const take = async (offset: number, length: number) => {
      const pieces: Uint8Array[] = [];
      for await (const bytes of cursor.take(offset, length)) pieces.push(Uint8Array.from(bytes));
      assert.deepEqual(
        Buffer.concat(pieces),
        Buffer.from(bundle.archive.subarray(offset, offset + length)),
      );
    };
    await take(0, 1_500_000);
    await take(1_500_000, 10);
    await take(1_500_010, 2_000_000);
    assert.equal(opened, 1);
    await take(10, 10);
    await take(size - 5, 5);
    assert.equal(opened, 3);
    await cursor.close();
  }, size));

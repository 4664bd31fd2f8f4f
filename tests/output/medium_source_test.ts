/** Reading back past the page cache: the bytes, and that they come from the medium. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/bundle/source.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { MediumSource } from "../../src/output/medium_source.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { isRoot, requiring, tool } from "../support/needs.ts";

const mebibyte = 1024 * 1024;

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

async function digestIn(source: MediumSource, path: string): Promise<string> {
  const reader = await source.open(path);
  assert.ok(reader !== undefined);
  const { sha256 } = await digestOf(reader, reader.size, () => {});
  reader.close();
  return sha256;
}

Deno.test("files of all lengths are read whole, and a missing file is reported as absent", () =>
  withDirectory(async (root) => {
    const lengths = [0, 1, 511, 512, 4095, 4096, 4097, mebibyte - 1, mebibyte, mebibyte + 1];
    for (const length of [...lengths, 3 * mebibyte + 777]) {
      const bytes = noise(length);
      writeFileSync(join(root, "file"), bytes);
      const source = new MediumSource(root);
      assert.equal(await digestIn(source, "file"), sha256(bytes), `${length} bytes`);
    }
    assert.equal(await new MediumSource(root).open("absent"), undefined);
  }));

Deno.test(requiring(
  { tools: ["mkfs.ext4", "mount", "umount"], others: isRoot },
  "a changed byte on the medium is detected although the page cache has the right one",
  () =>
    withDirectory(async (root) => {
      const [image, place] = [join(root, "image"), join(root, "stick")];
      mkdirSync(place);
      writeFileSync(image, "");
      truncateSync(image, 16 * mebibyte);
      ran("mkfs.ext4", "-q", image);
      ran("mount", "-o", "loop", image, place);
      try {
        const bytes = noise(2 * mebibyte);
        const [path, right] = [join(place, "file"), sha256(bytes)];
        writeSynced(path, bytes);
        damage(image, bytes.subarray(mebibyte, mebibyte + 4096));
        assert.equal(sha256(readFileSync(path)), right, "the page cache has the right bytes");
        const source = new MediumSource(place);
        assert.notEqual(await digestIn(source, "file"), right);
        assert.ok(source.isDirect);
      } finally {
        ran("umount", place);
      }
    }),
));

function ran(name: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(tool(name)!, args);
  assert.equal(status, 0, `${name} ${args.join(" ")}: ${stderr}`);
}

function writeSynced(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "wx");
  writeSync(fd, bytes);
  fsyncSync(fd);
  closeSync(fd);
}

/** Changes the byte of the image at which `bytes` begin. */
function damage(image: string, bytes: Uint8Array): void {
  const at = readFileSync(image).indexOf(bytes);
  assert.ok(at > 0, "the content is on the medium in one piece");
  const fd = openSync(image, "r+");
  writeSync(fd, Uint8Array.of(bytes[0]! ^ 1), 0, 1, at);
  fsyncSync(fd);
  closeSync(fd);
}

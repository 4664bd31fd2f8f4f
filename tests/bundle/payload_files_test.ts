/** Reading single files of a payload by offset, for all forms of a bundle. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chunkSize } from "../../src/bundle/manifest.ts";
import { openPayload } from "../../src/bundle/payload_files.ts";
import { directorySource, readSmall } from "../../src/bundle/source.ts";
import {
  bytesOf,
  type Entry,
  type MadeBundle,
  makeBundle,
  type Recipe,
  someEntries,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";

/** With a file that spans three chunks, and a path that needs PAX records. */
const entries: Entry[] = [
  ...someEntries,
  { path: "large", content: new Uint8Array(2 * chunkSize + 100).map((_, i) => i * 31 + (i >> 9)) },
  { path: `long/${"x".repeat(200)}`, content: "long" },
  { path: "z", content: "last" },
];

async function withBundle(
  recipe: Recipe,
  body: (directory: string, made: MadeBundle) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const made = makeBundle({ entries, ...recipe });
    writeFiles(directory, made.files);
    await body(directory, made);
  });
}

const forms: Record<string, Recipe> = {
  "a plain archive": {},
  "volumes": { chunksPerVolume: 1 },
  "a compressed archive": { compression: "zstd" },
  "compressed volumes": { compression: "zstd", chunksPerVolume: 1 },
  "a directory": { layout: "directory" },
};

for (const [form, recipe] of Object.entries(forms)) {
  Deno.test(`every file of ${form} can be read by its path, in any order`, () =>
    withBundle(recipe, async (directory, { manifest }) => {
      const payload = await openPayload(directorySource(directory), manifest);
      for (const { path, content } of entries.toReversed()) {
        const bytes = await readSmall(payload, path, 3 * chunkSize);
        assert.deepEqual(bytes, new Uint8Array(bytesOf(content)), path);
      }
      assert.equal(await payload.open("absent"), undefined);
    }));
}

Deno.test("if a volume is missing, files in the others can be read when sizes are known", () =>
  withBundle({ chunksPerVolume: 1 }, async (directory, { manifest }) => {
    rmSync(join(directory, "p.tar.001"));
    const sizes = new Map(entries.map(({ path, content }) => [path, bytesOf(content).length]));
    const source = directorySource(directory);
    const payload = await openPayload(source, manifest, sizes);
    assert.deepEqual(await readSmall(payload, "z", 10), bytesOf("last"));
    for (const path of ["a.txt", "large"]) {
      const read = readSmall(payload, path, 3 * chunkSize);
      await assert.rejects(read, { reason: "volume_missing" });
    }
    const blind = await openPayload(source, manifest);
    await assert.rejects(readSmall(blind, "z", 10), { reason: "volume_missing" });
  }));

Deno.test("a changed header, chunk or index is refused", () =>
  withBundle({}, async (directory, { manifest }) => {
    const source = directorySource(directory);
    const archive = join(directory, "p.tar");
    const bytes = readFileSync(archive);
    bytes[bytes.indexOf("b/run.sh")]! ^= 1;
    writeFileSync(archive, bytes);
    const payload = await openPayload(source, manifest);
    await assert.rejects(readSmall(payload, "b/run.sh", 99), { reason: "header_differs" });
    await assert.rejects(readSmall(payload, "z", 99), { reason: "header_differs" });
    assert.deepEqual(await readSmall(payload, "a.txt", 99), bytesOf("first\n"));
    writeFileSync(join(directory, "SHA256SUMS"), "");
    await assert.rejects(openPayload(source, manifest), { reason: "digest_mismatch" });
  }));

Deno.test("a changed chunk of a compressed archive is not decoded", () =>
  withBundle({ compression: "zstd" }, async (directory, { manifest }) => {
    const archive = join(directory, "p.tar.zst");
    const bytes = readFileSync(archive);
    bytes[100]! ^= 1;
    writeFileSync(archive, bytes);
    const payload = await openPayload(directorySource(directory), manifest);
    await assert.rejects(readSmall(payload, "a.txt", 99), { reason: "digest_mismatch" });
  }));

Deno.test("a truncated archive is reported as truncated", () =>
  withBundle({}, async (directory, { manifest }) => {
    const archive = join(directory, "p.tar");
    writeFileSync(archive, readFileSync(archive).subarray(0, chunkSize));
    const payload = await openPayload(directorySource(directory), manifest);
    const large = readSmall(payload, "large", 3 * chunkSize);
    await assert.rejects(large, { reason: "truncated" });
  }));

/**
 * onFile, which list and queries use: every file once, in order and whole, without effect on the
 * verdict.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { directorySource } from "../../src/bundle/source.ts";
import type { PayloadFile } from "../../src/verify/files.ts";
import { verifyBundle } from "../../src/verify/verify.ts";
import { key, run } from "../support/run_export.ts";

const large = 9 * 1024 * 1024;
const files: Record<string, Uint8Array> = {
  "a.json": new TextEncoder().encode('{"bomFormat":"CycloneDX"}'),
  "b/empty": new Uint8Array(0),
  "b/large": new Uint8Array(large).map((_, i) => i * 31 >> 7),
  "c": new TextEncoder().encode("last"),
};

async function verifyWithDigests(directory: string) {
  const seen: (PayloadFile & { found: string; length: number })[] = [];
  const verdict = await verifyBundle(directorySource(directory), {
    trusted: [key.trusted],
    onFile: (file) => {
      const hash = createHash("sha256");
      const one = { ...file, found: hash.copy().digest("hex"), length: 0 };
      seen.push(one);
      return (piece) => {
        hash.update(piece);
        one.length += piece.length;
        one.found = hash.copy().digest("hex");
      };
    },
  });
  return { seen, verdict };
}

async function withBundle(
  more: Parameters<typeof run>[2],
  body: (out: string) => Promise<void>,
): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "stella-tap-" });
  try {
    for (const [path, bytes] of Object.entries(files)) {
      Deno.mkdirSync(join(root, "in", path, ".."), { recursive: true });
      Deno.writeFileSync(join(root, "in", path), bytes);
    }
    await run(join(root, "out"), join(root, "in"), more);
    await body(join(root, "out"));
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

const layouts: [string, Parameters<typeof run>[2]][] = [
  ["a zstd archive", {}],
  ["a plain archive", { compression: "none" }],
  ["volumes", { compression: "none", volumeSize: 8 * 1024 * 1024 }],
  ["a directory", { layout: "directory" }],
];
for (const [name, more] of layouts) {
  Deno.test(`onFile gets every file of ${name} once, in order, with its size and all its bytes`, async () => {
    await withBundle(more, async (out) => {
      const { seen, verdict } = await verifyWithDigests(out);
      assert.ok(verdict.ok);
      assert.deepEqual(seen.map(({ path, size }) => [path, size]), [
        ["a.json", 25],
        ["b/empty", 0],
        ["b/large", large],
        ["c", 4],
      ]);
      for (const { path, sha256, found, length, size } of seen) {
        assert.deepEqual([found, length], [sha256, size], path);
      }
    });
  });
}

Deno.test("onFile reports files of a damaged bundle too: only the verdict decides", async () => {
  await withBundle({ compression: "none" }, async (out) => {
    const archive = join(out, "p.tar");
    const file = Deno.openSync(archive, { read: true, write: true });
    // The content of the last file: one block before the two that end the tar.
    file.seekSync(-3 * 512, Deno.SeekMode.End);
    file.writeSync(new TextEncoder().encode("L"));
    file.close();
    const { seen, verdict } = await verifyWithDigests(out);
    assert.equal(verdict.ok, false);
    assert.ok(seen.length > 0);
    assert.deepEqual([...new Set(verdict.findings.map(({ reason }) => reason))], [
      "digest_mismatch",
    ]);
  });
});

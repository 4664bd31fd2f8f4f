/**
 * No byte of a bundle is malleable: every flipped bit, every cut and everything appended is
 * refused.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { exitCodes } from "../../src/domain/errors.ts";
import { attestationName, indexName, manifestName } from "../../src/bundle/manifest.ts";
import { type MadeBundle, makeBundle, type Recipe } from "../support/bundle_fixture.ts";
import { isLong } from "../support/needs.ts";
import { verifyInMemory } from "../support/outcome.ts";

/**
 * With PAX records, padding, no padding and no content in a few blocks: each byte costs a whole
 * verification.
 */
const entries = [
  { path: "a", content: "first\n" },
  { path: "b/\u00e9", content: "" },
];
/** Without STELLA_TEST_LONG of manifest and attestation each byte, of the rest each third. */
const spacing = isLong ? 1 : 3;
const recipes: [string, Recipe][] = [
  ["plain", { entries }],
  ["zstd", { entries, compression: "zstd" }],
  ["directory", { entries, layout: "directory" }],
];

/** The exit codes that a change of a file may cause. */
function allowed(path: string): number[] {
  const { manifest, signature, differs, unexpected, truncated } = exitCodes;
  if (path === manifestName) return [manifest, signature];
  if (path === attestationName) return [signature];
  return path.startsWith("p.tar") ? [differs, unexpected, truncated] : [differs];
}

async function assertRefused(made: MadeBundle, path: string, bytes: Uint8Array, about: string) {
  const { code, findings } = await verifyInMemory({
    ...made,
    files: new Map(made.files).set(path, bytes),
  });
  assert.ok(allowed(path).includes(code), `${about}: code ${code}, ${findings}`);
  assert.ok(findings.length > 0, about);
}

for (const [form, recipe] of recipes) {
  Deno.test(`${form}: a flipped bit in any byte of any file is refused`, async () => {
    const made = makeBundle(recipe);
    let flips = 0;
    for (const [path, right] of made.files) {
      const step = path === manifestName || path === attestationName ? 1 : spacing;
      for (let at = 0; at < right.length; at += step) {
        const bytes = Buffer.from(right);
        bytes[at]! ^= 1 << (at & 7);
        await assertRefused(made, path, bytes, `${path} byte ${at}`);
        flips++;
      }
    }
    assert.ok(flips > 1900 / spacing, `${flips} flips`);
  });

  Deno.test(`${form}: each file cut anywhere that matters, or longer, is refused`, async () => {
    const made = makeBundle(recipe);
    for (const [path, right] of made.files) {
      const cuts = new Set([0, 1, right.length - 1]);
      for (let border = 512; border < right.length + 512; border += 512) {
        [border - 1, border, border + 1].forEach((cut) => cuts.add(cut));
      }
      for (const cut of [...cuts].filter((one) => one >= 0 && one < right.length)) {
        await assertRefused(made, path, right.subarray(0, cut), `${path} cut at ${cut}`);
      }
      for (const more of ["\0", "\n", "x", "\0".repeat(512), "\0".repeat(10_240), right]) {
        if (more.length === 0) continue;
        const longer = Buffer.concat([right, Buffer.from(more as string)]);
        await assertRefused(made, path, longer, `${path} with ${more.length} bytes more`);
      }
    }
  });
}

Deno.test("a short archive is truncated, a longer one has trailing data", async () => {
  for (const compression of ["none", "zstd"] as const) {
    const made = makeBundle({ compression });
    const path = compression === "zstd" ? "p.tar.zst" : "p.tar";
    const right = made.files.get(path)!;
    const verifyArchive = (bytes: Uint8Array) =>
      verifyInMemory({ ...made, files: new Map(made.files).set(path, bytes) });
    for (const length of [0, 1, right.length >> 1, right.length - 1]) {
      const { code, findings } = await verifyArchive(right.subarray(0, length));
      assert.equal(code, exitCodes.truncated, `${path} of ${length}`);
      assert.ok(findings.includes(`10 truncated ${path}`));
    }
    for (const more of [Buffer.of(0), Buffer.alloc(512), right]) {
      const { code, findings } = await verifyArchive(Buffer.concat([right, more]));
      assert.deepEqual([code, findings], [exitCodes.unexpected, [`8 trailing_data ${path}`]]);
    }
  }
});

Deno.test("swapped files of two bundles by the same signer are refused", async () => {
  const one = makeBundle();
  const two = makeBundle({ entries: [{ path: "a.txt", content: "FIRST\n" }] });
  for (const path of [attestationName, manifestName, indexName, "p.tar"]) {
    await assertRefused(one, path, two.files.get(path)!, path);
  }
  const both = new Map(one.files).set(manifestName, two.files.get(manifestName)!)
    .set(attestationName, two.files.get(attestationName)!);
  assert.equal((await verifyInMemory({ ...one, files: both })).code, exitCodes.unexpected);
});

/** A pull writes while it verifies; files get their names only after a good verdict. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../src/bundle/manifest.ts";
import { type BundleSource, withOpen } from "../../src/bundle/source.ts";
import { type OutputTarget, PulledBundle } from "../../src/output/pulled.ts";
import {
  type MadeBundle,
  makeBundle,
  memorySource,
  testKey,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";
import { snapshot } from "../support/run_export.ts";

const uuid = "00000000-0000-7000-8000-000000000001";
const made = makeBundle({});

/** Pulls into `out`, as the command does; gives the verdict's code. */
async function pull(
  bundle: MadeBundle,
  out: string,
  more: Partial<OutputTarget> & { source?: BundleSource } = {},
): Promise<number> {
  const source = more.source ?? memorySource(bundle.files);
  const pulled = new PulledBundle(source, {
    action: "Cannot pull",
    force: false,
    uuid,
    space: undefined,
    ...more,
  });
  try {
    const begin = (manifest: Manifest, isRefused: boolean) =>
      pulled.begin(manifest, isRefused, out);
    const { code, verdict } = await outcomeOf(pulled, [made.key.trusted], { begin });
    if (verdict?.ok) {
      pulled.complete();
      pulled.commit();
    }
    return code;
  } finally {
    pulled.close();
  }
}

Deno.test("a pulled bundle equals the pushed one, modes included, and nothing else is written", () =>
  withDirectory(async (root) => {
    const out = join(root, "deep/out");
    assert.equal(await pull(made, out), 0);
    writeFiles(join(root, "as-it-was"), made.files);
    const [found, expected] = [snapshot(out), snapshot(join(root, "as-it-was"))];
    const content = (of: Record<string, string>) =>
      Object.fromEntries(Object.entries(of).map(([name, text]) => [name, text.slice(4)]));
    assert.deepEqual(content(found), content(expected));
    for (const [name, text] of Object.entries(found)) {
      const file = made.manifest.files.find(({ path }) => path === name);
      assert.equal(text.slice(0, 3), file?.executable ? "755" : "644", name);
    }
  }));

Deno.test("a refused bundle leaves nothing behind, and existing files stay", () =>
  withDirectory(async (root) => {
    const out = join(root, "out");
    const archive = made.manifest.files.find((file) => file.role === "archive")!.path;
    const bytes = Uint8Array.from(made.files.get(archive)!);
    bytes[bytes.length - 30]! ^= 1;
    const bad = { ...made, files: new Map(made.files).set(archive, bytes) };
    assert.equal(await pull(bad, out), 7);
    assert.deepEqual(readdirSync(out), []);
    assert.equal(await pull(made, out), 0);
    const before = snapshot(out);
    assert.equal(await pull(bad, out), 7);
    assert.equal(await pull(makeBundle({ key: testKey("stranger") }), out), 5);
    assert.deepEqual(snapshot(out), before);
    assert.equal(await pull(made, out), 0, "the same bundle may be pulled again");
    assert.deepEqual(snapshot(out), before);
  }));

Deno.test("an invalid signature ends a pull before any file is created", () =>
  withDirectory(async (root) => {
    const files = new Map(made.files).set("manifest.json.sigstore.json", new Uint8Array(2));
    assert.equal(await pull({ ...made, files }, join(root, "out")), 4);
    assert.equal(existsSync(join(root, "out")), false);
  }));

Deno.test("an existing file is not replaced without --force", () =>
  withDirectory(async (root) => {
    const out = join(root, "out");
    writeFiles(out, { "SHA256SUMS": "mine" });
    assert.equal(await pull(made, out), 14);
    assert.deepEqual(snapshot(out), { SHA256SUMS: "644 mine" });
    assert.equal(await pull(made, out, { force: true }), 0);
  }));

Deno.test("nothing is ever written of a bundle whose signer is refused", () =>
  withDirectory(async (root) => {
    const out = join(root, "out");
    const stranger = makeBundle({ key: testKey("stranger") });
    let reads = 0;
    const source = withOpen(memorySource(stranger.files), async (path) => {
      const reader = await memorySource(stranger.files).open(path);
      const read = (buffer: Uint8Array) => {
        reads++;
        assert.deepEqual(readdirSync(root), []);
        return reader!.read(buffer);
      };
      return reader && { ...reader, read };
    });
    assert.equal(await pull(stranger, out, { source }), 5);
    assert.ok(reads > stranger.manifest.files.length);
    assert.deepEqual(readdirSync(root), []);
  }));

Deno.test("a bundle that does not fit is refused before anything is written", () =>
  withDirectory(async (root) => {
    const bytes = made.manifest.files.reduce((sum, { size }) => sum + size, 0);
    const out = join(root, "out");
    assert.equal(await pull(made, out, { space: { bytes: bytes - 1 } }), 12);
    assert.equal(await pull(made, out, { space: { bytes, maxFileBytes: 100 } }), 12);
    assert.deepEqual(readdirSync(root), []);
    assert.equal(await pull(made, out, { space: { bytes } }), 0);
  }));

Deno.test("no file is written beyond its declared size", () =>
  withDirectory(async (root) => {
    const out = join(root, "out");
    const files = new Map(made.files);
    for (const { path } of made.manifest.files) {
      files.set(path, new Uint8Array(new Uint8Array(files.get(path)!).length + 100_000));
    }
    const place = { action: "Cannot pull", force: false, uuid, space: undefined };
    const pulled = new PulledBundle(memorySource(files), place);
    await outcomeOf(pulled, [made.key.trusted], {
      begin: (m, refused) => pulled.begin(m, refused, out),
    });
    for (const { path, size } of made.manifest.files) {
      const written = statSync(join(out, `.stella-${uuid}.partial`, path)).size;
      assert.ok(written <= size, `${path}: ${written} of ${size}`);
    }
    pulled.close();
  }));

Deno.test("a bundle that lists a name reserved for replacing is refused, and the old bundle stays", () =>
  withDirectory(async (root) => {
    const listing = (name: string) => {
      const bundle = makeBundle({
        manifest: (manifest) => {
          const document = manifest.files.find(({ role }) => role === "document")!;
          document.path = name;
          manifest.files.sort((a, b) => a.path < b.path ? -1 : 1);
        },
      });
      const files = new Map(bundle.files).set(name, bundle.files.get("VERIFY.txt")!);
      return { bundle, files };
    };
    for (const name of ["manifest.json.old", "Manifest.json.OLD"]) {
      const { bundle, files } = listing(name);
      assert.equal(await pull({ ...bundle, files }, join(root, "none")), 3, name);
      assert.ok(!readdirSync(root).includes("none"), name);
    }
    for (const name of ["names", "lock", "old"]) {
      const { bundle, files } = listing(name);
      const out = join(root, name);
      assert.equal(await pull({ ...bundle, files }, out), 9, name);
      assert.deepEqual(readdirSync(out), [], name);
      assert.equal(await pull(made, out), 0);
      const before = snapshot(out);
      assert.equal(await pull({ ...bundle, files }, out, { force: true }), 9, name);
      assert.deepEqual(snapshot(out), before, name);
    }
  }));

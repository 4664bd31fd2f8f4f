/** A pull writes while it verifies; names are given after a good verdict, and only then. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PulledBundle } from "../../src/export/pulled.ts";
import {
  type MadeBundle,
  makeBundle,
  memorySource,
  testKey,
  withDirectory,
  writeFiles,
} from "../bundle/fixture.ts";
import { outcomeOf } from "../verify/outcome.ts";
import { snapshot } from "./run.ts";

const uuid = "00000000-0000-7000-8000-000000000001";
const made = makeBundle({});

/** Pulls into `out`, as the command does; gives the verdict's code. */
async function pull(bundle: MadeBundle, out: string, force = false): Promise<number> {
  const pulled = new PulledBundle(memorySource(bundle.files), { directory: out, force, uuid });
  try {
    const { code, verdict } = await outcomeOf(pulled, [made.key.trusted]);
    if (verdict?.ok) pulled.commit();
    return code;
  } finally {
    pulled.close();
  }
}

Deno.test("a pulled bundle is the one that was pushed, with its modes, and nothing besides", () =>
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

Deno.test("nothing is kept of a bundle that is refused, and what stood there still stands", () =>
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

Deno.test("a broken signature ends it before anything is made", () =>
  withDirectory(async (root) => {
    const files = new Map(made.files).set("manifest.json.sigstore.json", new Uint8Array(2));
    assert.equal(await pull({ ...made, files }, join(root, "out")), 4);
    assert.equal(existsSync(join(root, "out")), false);
  }));

Deno.test("something else that stands in the way is not touched without force", () =>
  withDirectory(async (root) => {
    const out = join(root, "out");
    writeFiles(out, { "SHA256SUMS": "mine" });
    assert.equal(await pull(made, out), 14);
    assert.deepEqual(snapshot(out), { SHA256SUMS: "644 mine" });
    assert.equal(await pull(made, out, true), 0);
  }));

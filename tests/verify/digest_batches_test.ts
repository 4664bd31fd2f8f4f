/**
 * Batches of files are checked in the order of the index, whenever their digests arrive, and a
 * fault of the index comes last.
 */
import assert from "node:assert/strict";
import type { FileDigest } from "../../src/bundle/file_digests.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { encodeIndexLine } from "../../src/bundle/index_file.ts";
import { digestInBatches } from "../../src/verify/digest_batches.ts";
import { IndexReader } from "../../src/verify/index_reader.ts";
import { memorySource } from "../support/bundle_fixture.ts";

const name = (i: number) => `f${String(i).padStart(5, "0")}`;

async function indexOf(count: number, after = ""): Promise<IndexReader> {
  const lines = Array.from(
    { length: count },
    (_, i) => encodeIndexLine({ path: name(i), sha256: sha256("") }),
  );
  const bytes = new TextEncoder().encode(lines.join("") + after);
  const reader = await memorySource(new Map([["i", bytes]])).open("i");
  return new IndexReader(reader!, bytes.length);
}

type Digest = (paths: string[]) => Promise<FileDigest[]>;

/** Digests that say which path they belong to. */
const reported: Digest = (paths) =>
  Promise.resolve(paths.map((path) => ({ sha256: path, size: path.length })));

async function pathsChecked(index: IndexReader, digest: Digest): Promise<string[]> {
  const seen: string[] = [];
  await digestInBatches(index, digest, 3, ({ path }, found) => {
    assert.ok("sha256" in found && found.sha256 === path, "each gets its own");
    seen.push(path);
    return Promise.resolve();
  });
  return seen;
}

Deno.test("each file is checked once, in order, whichever batch is done first", async () => {
  for (const count of [0, 1, 63, 64, 65, 1000]) {
    let turn = 0;
    const late: Digest = async (paths) => {
      await new Promise((resolve) => setTimeout(resolve, turn++ % 3 === 0 ? 20 : 0));
      return await reported(paths);
    };
    const expected = Array.from({ length: count }, (_, i) => name(i));
    assert.deepEqual(await pathsChecked(await indexOf(count), late), expected, `${count} files`);
  }
});

Deno.test("at most the given number of batches are in progress", async () => {
  let [open, max] = [0, 0];
  await pathsChecked(await indexOf(1000), async (paths) => {
    max = Math.max(max, ++open);
    // As many as are started without waiting for this one are started before a timer is due.
    await new Promise((resolve) => setTimeout(resolve, 0));
    open--;
    return await reported(paths);
  });
  assert.equal(max, 4);
});

Deno.test("a fault of the index counts after the files before it, wherever a batch ends", async () => {
  for (const count of [0, 1, 64, 100, 128]) {
    const seen: string[] = [];
    const run = digestInBatches(await indexOf(count, "no line\n"), reported, 3, ({ path }) => {
      seen.push(path);
      return Promise.resolve();
    });
    await assert.rejects(run, /the line is not/, `${count} files`);
    assert.equal(seen.length, count);
  }
});

Deno.test("a failing batch ends the run with its error and leaves no unhandled rejection", async () => {
  let turn = 0;
  const failing: Digest = async (paths) => {
    const own = turn++;
    await new Promise((resolve) => setTimeout(resolve, own === 0 ? 20 : 0));
    if (own > 0) throw new Error(`batch ${own}`);
    return await reported(paths);
  };
  await assert.rejects(pathsChecked(await indexOf(1000), failing), /batch 1/);
  // A rejection that nobody handles ends the process before a timer is due.
  await new Promise((resolve) => setTimeout(resolve, 0));
});

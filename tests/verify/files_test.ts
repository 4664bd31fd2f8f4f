/** Files that differ from the manifest in ways that a real directory cannot reproduce. */
import assert from "node:assert/strict";
import type { BundleSource, ListedEntry } from "../../src/bundle/source.ts";
import { makeBundle, memorySource } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

Deno.test("an endless listed file is read only up to its declared size", async () => {
  const { files, key } = makeBundle({});
  const source = memorySource(files);
  let reads = 0;
  const endless: BundleSource = {
    ...source,
    open: async (path) => {
      const reader = await source.open(path);
      if (path !== "VERIFY.txt") return reader;
      const read = (buffer: Uint8Array) => {
        if (++reads > 10) throw new Error("it is still read");
        return buffer.length;
      };
      return { ...reader!, read };
    },
  };
  const { code, findings } = await outcomeOf(endless, [key.trusted]);
  assert.deepEqual([code, findings], [7, ["7 size_differs VERIFY.txt"]]);
});

Deno.test("a directory that changes during the walk is refused, even if no changed name is known", async () => {
  const { files, key } = makeBundle({ layout: "directory" });
  const source = memorySource(files);
  let walks = 0;
  const changing: BundleSource = {
    ...source,
    *walk(directory) {
      yield* source.walk!(directory) as Iterable<ListedEntry>;
      // There when files are counted, gone when they are named.
      if (++walks === 1) yield { path: `${directory}/passing` };
    },
  };
  const { code, findings, verdict } = await outcomeOf(changing, [key.trusted]);
  assert.deepEqual([code, findings, walks], [8, ["8 entry_unexpected payload"], 2]);
  const { found, expected, hint } = verdict!.findings[0]!;
  assert.notEqual(found, expected);
  assert.match(hint ?? "", /the directory is being changed/);
});

/** Files beside the manifest that are not what it says, in ways that a directory cannot show. */
import assert from "node:assert/strict";
import type { BundleSource } from "../../src/bundle/source.ts";
import { makeBundle, memorySource } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

Deno.test("a listed file that has no end is read until that is clear, and no further", async () => {
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

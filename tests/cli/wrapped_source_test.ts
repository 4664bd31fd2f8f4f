/** Wrapped sources still list unlisted files; otherwise unsigned files would go unnoticed. */
import assert from "node:assert/strict";
import { type BundleSource, directorySource } from "../../src/bundle/source.ts";
import { MultiDirectorySource } from "../../src/bundle/multi_directory_source.ts";
import { yieldingSource } from "../../src/cli/event_loop.ts";
import type { Host } from "../../src/cli/host.ts";
import { Backpressure } from "../../src/cli/backpressure.ts";
import { watchProofs } from "../../src/verify/receipt.ts";
import { makeBundle, withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

const host = {
  stop: new AbortController().signal,
  elapsed: () => performance.now(),
} as unknown as Host;
const wrappers: Record<string, (source: BundleSource) => BundleSource> = {
  yielding: (source) => yieldingSource(source, host),
  backpressured: (source) => new Backpressure().source(source),
  watched: (source) => watchProofs(source).source,
  "all of them": (source) =>
    yieldingSource(new Backpressure().source(watchProofs(source).source), host),
};

Deno.test("an unlisted file is found through every wrapper, for every kind of source", async () => {
  const { files, key } = makeBundle({ layout: "directory" });
  await withDirectory(async (root) => {
    writeFiles(root, files);
    writeFiles(root, { "payload/evil.txt": "evil" });
    const sources = { directory: directorySource(root), sticks: new MultiDirectorySource([root]) };
    for (const [kind, source] of Object.entries(sources)) {
      for (const [name, wrap] of Object.entries(wrappers)) {
        const { code, findings } = await outcomeOf(wrap(source), [key.trusted]);
        const found = [code, ...findings];
        assert.deepEqual(found, [8, "8 entry_unexpected payload/evil.txt"], `${kind}, ${name}`);
      }
    }
  });
});

Deno.test("a wrapper adds no `walk` to a source that has none", () => {
  const source: BundleSource = { name: "pipe", open: () => undefined };
  for (const wrap of Object.values(wrappers)) {
    assert.deepEqual(Object.keys(wrap(source)).sort(), ["name", "open"]);
  }
});

Deno.test("an abort signal ends the listing of a directory with any number of files", async () => {
  const stop = new AbortController();
  let listed = 0;
  function* endless() {
    for (;;) {
      if (++listed === 1_000) stop.abort();
      yield { path: `payload/${listed}` };
    }
  }
  let now = 0;
  const source = yieldingSource({ name: "endless", open: () => undefined, walk: endless }, {
    ...host,
    elapsed: () => now += 1,
    stop: stop.signal,
  });
  await assert.rejects(async () => {
    for await (const _ of source.walk?.("payload") ?? []) { /* each is passed over */ }
  }, { kind: "interrupted" });
  assert.ok(listed < 1_100, `${listed} were listed`);
});

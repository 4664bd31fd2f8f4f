/** Sources that other users can write to are reported with the path and the writer. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Profile } from "../../src/config/profile.ts";
import { writableSources } from "../../src/config/source_writers.ts";
import { sourceWriters } from "../../src/http/checks.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { isRoot, requiring } from "../support/needs.ts";

function profile(name: string, path: string): Profile {
  return { name, kind: "files", sources: [{ path }], compression: "zstd", targets: [] };
}

/** A source of three levels, 0755, and a state directory. */
async function withSource(work: (source: string, state: string) => void): Promise<void> {
  await withDirectory((root) => {
    const [source, state] = [join(root, "in"), join(root, "state")];
    for (const path of [join(source, "osv/d"), join(source, "csaf"), state]) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
    }
    work(source, state);
    return Promise.resolve();
  });
}

Deno.test("a source writable only by its owner is not reported, and a directory writable by others is", () =>
  withSource((source, state) => {
    const open = () => writableSources([profile("p", source)], state, 100);
    assert.deepEqual(open(), []);
    chmodSync(join(source, "osv/d"), 0o777);
    const path = join(source, "osv/d");
    assert.deepEqual(open(), [{ profile: "p", path, writer: "everybody can write there" }]);
    chmodSync(path, 0o755);
    chmodSync(source, 0o1777);
    assert.equal(open()[0]?.path, source, "others may add to it all the same");
  }));

Deno.test("the limit on directories holds, and a missing directory is not an error", () =>
  withSource((source, state) => {
    chmodSync(join(source, "osv/d"), 0o777);
    assert.deepEqual(writableSources([profile("p", source)], state, 1), []);
    assert.deepEqual(writableSources([profile("p", join(source, "nowhere"))], state, 100), []);
    assert.equal(writableSources([profile("p", source)], join(state, "not/yet"), 100).length, 1);
  }));

Deno.test(requiring(
  { others: isRoot },
  "a directory of another user or writable by another group is reported",
  () =>
    withSource((source, state) => {
      const open = () => writableSources([profile("p", source)], state, 100);
      chownSync(join(source, "csaf"), 2002, 0);
      assert.deepEqual(open().map(({ writer }) => writer), ["it belongs to the user 2002"]);
      chownSync(state, 2002, 2002);
      assert.deepEqual(open(), [], "the user of the service may");
      chownSync(join(source, "csaf"), 0, 2003);
      chmodSync(join(source, "csaf"), 0o775);
      assert.deepEqual(open().map(({ writer }) => writer), ["the group 2003 can write there"]);
    }),
));

Deno.test("readiness warns without a path and repeats the check only after an interval", () =>
  withSource(async (source, state) => {
    let time = 0;
    const check = sourceWriters([profile("p", source)], state, () => time);
    const run = () => check.run(new AbortController().signal);
    assert.deepEqual(run(), { status: "pass" });
    chmodSync(source, 0o777);
    assert.deepEqual(run(), { status: "pass" });
    time = 10 * 60 * 1000;
    const { status, output = "" } = await run();
    assert.equal(status, "warn");
    assert.match(output, /sources of p: see/);
    assert.ok(!output.includes(source));
  }));

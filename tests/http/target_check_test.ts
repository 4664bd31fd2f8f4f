import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Profile, Target } from "../../src/config/profile.ts";
import { targetChecks } from "../../src/http/target_check.ts";

const signal = new AbortController().signal;

async function inDirectory(body: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempDirSync({ prefix: "stella-target-" });
  try {
    await body(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

function profile(targets: Target[], tenants?: string[]): Profile {
  const more = tenants === undefined ? {} : { tenants };
  return { name: "pub", kind: "files", sources: [], compression: "zstd", targets, ...more };
}

async function run(one: Profile, tenants = ["a", "b"]) {
  const checks = targetChecks([one], tenants);
  return await Promise.all(checks.map(async ({ name, run }) => ({ name, ...await run(signal) })));
}

Deno.test("a target directory with free space passes, and so does one that does not exist yet", async () => {
  await inDirectory(async (path) => {
    for (const directory of [path, join(path, "new/below"), join(path, "{tenant}")]) {
      assert.deepEqual(await run(profile([{ directory }])), [{
        name: "target:pub",
        status: "pass",
      }]);
    }
    assert.deepEqual(await run(profile([{ registry: "r", repository: "r", tag: "t" }])), []);
  });
});

Deno.test("a target whose path is a file is a warning with the path, for each of its tenants", async () => {
  await inDirectory(async (path) => {
    writeFileSync(join(path, "a"), "in the way");
    mkdirSync(join(path, "b"));
    const targets = [{ directory: join(path, "{tenant}") }, { directory: join(path, "a/below") }];
    const [found] = await run(profile(targets));
    assert.equal(found?.status, "warn");
    assert.match(found?.output ?? "", /^"[^"]+\/a": not a directory; "[^"]+\/a\/below": ENOTDIR/);
    const [own] = await run(profile(targets.slice(0, 1), ["b"]));
    assert.equal(own?.status, "pass");
  });
});

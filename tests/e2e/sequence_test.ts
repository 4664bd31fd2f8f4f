/** Sequence numbers of exports from the command line. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, withHome } from "../support/program.ts";

const epoch = { SOURCE_DATE_EPOCH: "1767225600" };

function exporter(home: Home) {
  const input = join(home.path, "in");
  Deno.mkdirSync(input, { recursive: true });
  return async (content: string, more: string[] = [], env: Record<string, string> = {}) => {
    writeFileSync(join(input, "a"), content);
    const words = ["export", "bundle", "--profile", "p", "--input", input, "--force", ...more];
    return await home.json(words, { env: { ...epoch, ...env } });
  };
}

Deno.test("an export reports the sequence of its bundle, and the same inputs keep it", () =>
  withHome(async (home) => {
    const run = exporter(home);
    const first = await run("first");
    assert.equal(first.bundle.sequence, 1);
    const bytes = readFileSync(join(home.path, "out/manifest.json"));
    assert.equal((await run("second")).bundle.sequence, 2);
    const verified = await home.json(["verify", "out"]);
    assert.deepEqual([verified.exit, verified.bundle.sequence], [0, 2]);
    const again = await run("first", ["--sequence", "1"]);
    assert.equal(again.bundle.bundleDigest, first.bundle.bundleDigest);
    assert.deepEqual(readFileSync(join(home.path, "out/manifest.json")), bytes);
    assert.equal((await run("first")).bundle.sequence, 3);
    const text = (await home.succeed(["verify", "out"])).stdout;
    assert.match(text, /\n {2}sequence {2}3\b/);
  }));

Deno.test("without a state directory, and with --sequence none, a bundle has no sequence", () =>
  withHome(async (home) => {
    const run = exporter(home);
    await home.succeed(["keys", "generate", "--out", "k.key"]);
    const key = ["--key", "k.key"];
    const stateless = { HOME: "", STELLA_DATA: "" };
    const without = await run("first", key, stateless);
    assert.equal(without.exit, 0);
    assert.equal(without.bundle.sequence, undefined);
    const none = await run("first", [...key, "--sequence", "none"]);
    assert.equal(none.bundle.bundleDigest, without.bundle.bundleDigest);
    assert.equal(existsSync(join(home.state, "sequences.json")), false);
    const named = await run("first", [...key, "--sequence", "9"], stateless);
    assert.equal(named.bundle.sequence, 9);
  }));

Deno.test("an invalid sequence or one of another state is refused, and nothing is written", () =>
  withHome(async (home) => {
    const run = exporter(home);
    for (const text of ["0", "-1", "01", "1.5", "9007199254740992", "many"]) {
      const refused = await run("first", [`--sequence=${text}`]);
      assert.deepEqual([refused.exit, refused.error.reason], [2, "argument_invalid"], text);
    }
    assert.equal(existsSync(join(home.path, "out")), false);
    await run("first");
    const refused = await run("second", ["--sequence", "1", "--manifest", "new/manifest.json"]);
    assert.deepEqual([refused.exit, refused.error.reason], [11, "fork"]);
    assert.equal(existsSync(join(home.path, "new/manifest.json")), false);
  }));

/** PLACE: every command that reads a bundle accepts the same forms. */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { type Home, withHome } from "../support/program.ts";
import { startRegistry } from "../support/site.ts";

/** An export of one file as `NAME/`. */
async function exported(home: Home, name: string, text = `${name}\n`): Promise<string> {
  const input = join(home.path, `in-${name.replaceAll("/", "-")}`);
  mkdirSync(input);
  writeFileSync(join(input, "a.txt"), text);
  await home.succeed([
    ...["export", "bundle", "--profile", "p", "--input", input],
    ...["--compression", "none", "--manifest", `${name}/manifest.json`],
  ]);
  return join(home.path, name);
}

Deno.test("verify checks every bundle of a stick and returns the worst exit code", () =>
  withHome(async (home) => {
    const [a, b, c] = [
      await exported(home, "stick/a"),
      await exported(home, "stick/b"),
      await exported(home, "stick/c"),
    ];
    mkdirSync(join(home.path, "stick/System Volume Information"));
    const verify = async (...more: string[]) => {
      const { exit, ok, code, bundles } = await home.json(["verify", "stick", ...more]);
      assert.deepEqual([code, ok], [exit, exit === 0]);
      return [
        exit,
        ...bundles.map((one: { place: string; code: number }) => `${one.place} ${one.code}`),
      ];
    };
    assert.deepEqual(await verify(), [0, "stick/a 0", "stick/b 0", "stick/c 0"]);
    const { bundles } = await home.json(["export", "bundle", "verify", "--manifest", "stick"]);
    assert.deepEqual(
      bundles.map((one: { verdict: string; filesVerified: number }) => [
        one.verdict,
        one.filesVerified,
      ]),
      Array(3).fill(["verified", 1]),
    );
    rmSync(join(b, "p.tar"));
    assert.deepEqual(await verify(), [6, "stick/a 0", "stick/b 6", "stick/c 0"]);
    const damaged = readFileSync(join(c, "p.tar"));
    damaged[512]! ^= 1;
    writeFileSync(join(c, "p.tar"), damaged);
    assert.deepEqual(await verify(), [7, "stick/a 0", "stick/b 6", "stick/c 7"]);
    // An unreadable bundle does not prevent the check of the others.
    appendFileSync(join(a, "manifest.json"), "x");
    writeFileSync(join(b, "manifest.json.sigstore.json"), "{");
    const [exit, ...codes] = await verify("--integrity-only");
    assert.equal(exit, 4);
    assert.equal(codes.length, 3);
    assert.equal(codes[2], "stick/c 7");
    const { code, stdout } = await home.stella(["verify", "stick"]);
    assert.equal(code, 4);
    assert.match(stdout, /^"stick\/a":\n[^]*^"stick\/b":\n[^]*^"stick\/c":\nREFUSED \(code 7\)/m);
  }));

Deno.test("a key on the medium of one bundle is trusted for none of them", () =>
  withHome(async (home) => {
    await exported(home, "stick/a");
    await exported(home, "stick/b");
    const { stdout } = await home.succeed(["keys", "show", "--public"]);
    writeFileSync(join(home.path, "stick/b/signer.pub"), stdout);
    const env = { STELLA_DATA: join(home.path, "elsewhere") };
    const ran = await home.json(["verify", "stick", "--trust", "stick/b/signer.pub"], { env });
    assert.equal(ran.exit, 2);
    assert.match(ran.error.message, /it is in the bundle's own directory/);
    writeFileSync(join(home.path, "signer.pub"), stdout);
    assert.equal((await home.json(["verify", "stick"], { env })).exit, 5);
    assert.equal((await home.json(["verify", "stick", "--trust", "signer.pub"], { env })).exit, 0);
  }));

Deno.test("every command accepts a stick with one bundle, and only verify accepts a stick with several", () =>
  withHome(async (home) => {
    await exported(home, "stick/a");
    const commands: [words: string[], more: string[]][] = [
      [["unpack"], ["--to", "to"]],
      [["list"], []],
      [["show"], []],
      [["diff"], ["stick/a"]],
    ];
    for (const [words, more] of commands) {
      await home.succeed([...words, "stick", ...more]);
      rmSync(join(home.path, "to"), { recursive: true, force: true });
      await home.succeed(["export", "bundle", ...words, "--manifest", "stick", ...more]);
      rmSync(join(home.path, "to"), { recursive: true, force: true });
    }
    await exported(home, "stick/b");
    for (const [words, more] of commands) {
      const ran = await home.json([...words, "stick", ...more]);
      assert.equal(ran.exit, 2, words.join(" "));
      assert.match(ran.error.message, /it holds 2 bundles: "stick\/a", "stick\/b"$/);
    }
    const receipt = await home.json(["verify", "stick", "--receipt", "r.json"]);
    assert.deepEqual([receipt.exit, receipt.error.hint], [2, "verify them one by one"]);
    const twice = await home.json(["show", "stick/a", "--manifest", "stick/b"]);
    assert.match(twice.error.message, /unexpected argument "stick\/a"/);
  }));

Deno.test("a stream can be listed, shown and unpacked, and other commands refuse it", () =>
  withHome(async (home) => {
    const input = join(home.path, "in");
    mkdirSync(input);
    writeFileSync(join(input, "a.txt"), "first\n");
    const config = `version: 1\nprofiles: { p: { kind: files, sources: [{ files: ${input} }] } }\n`;
    writeFileSync(join(home.path, "stella.yaml"), config);
    const service = await home.serve(["--config", join(home.path, "stella.yaml")]);
    const job = await service.export({ profile: "p" });
    const answer = await fetch(`${service.url}/v1/exports/${job.id}/bundle.tar`);
    const stdin = await answer.bytes();
    await service.stop();
    const listed = await home.json(["list", "-"], { stdin });
    assert.deepEqual([listed.exit, listed.entries[0].path], [0, "a.txt"]);
    const shown = await home.json(["show", "-"], { stdin });
    assert.deepEqual([shown.exit, shown.bundle.bundleDigest], [0, job.bundleDigest]);
    assert.ok(shown.files.some(({ role }: { role: string }) => role === "archive"));
    assert.equal((await home.json(["unpack", "-", "--to", "to"], { stdin })).exit, 0);
    for (const words of [["diff", "-", "in"], ["push", "-", "oci://127.0.0.1:1/r:t"]]) {
      const ran = await home.json(words, { stdin });
      assert.equal(ran.exit, 2);
      assert.match(ran.error.message, /from standard input/);
    }
    const volumes = await home.json(["verify", "-", "--volumes", "in"], { stdin });
    assert.match(volumes.error.message, /Cannot look for volumes of a bundle from standard input/);
  }));

Deno.test(requiring(
  ["docker-registry"],
  "every command reads a bundle from a registry",
  () =>
    withHome(async (home) => {
      const out = await exported(home, "out");
      const registry = await startRegistry(home.path);
      try {
        const place = `oci://${new URL(registry.url).host}/exports/p:latest`;
        await home.succeed(["push", "out", place]);
        const verified = await home.json(["verify", place]);
        assert.deepEqual([verified.exit, verified.verdict], [0, "verified"]);
        const listed = await home.json(["list", place]);
        assert.deepEqual(listed.entries, (await home.json(["list", "out"])).entries);
        assert.deepEqual((await home.json(["show", place])).files.length, 4);
        assert.equal((await home.json(["unpack", place, "--to", "to"])).exit, 0);
        assert.equal(readFileSync(join(home.path, "to/a.txt"), "utf8"), "out\n");
        assert.equal((await home.json(["diff", "--manifest", place, "out"])).same, true);
        const query = await home.json(["risk", "query", "CVE-2021-44228", place]);
        assert.match(query.error.message, /the bundle has no risk data/);
        const pushed = await home.json(["push", place, `${place}2`]);
        assert.deepEqual([pushed.exit, pushed.error.hint], [
          2,
          "pull it first: stella pull REFERENCE --to DIR",
        ]);
        // The registry's copy is verified, not trusted.
        cpSync(out, join(home.path, "kept"), { recursive: true });
        rmSync(home.state, { recursive: true });
        assert.equal((await home.json(["unpack", place, "--to", "more"])).exit, 5);
      } finally {
        await registry.stop();
      }
    }),
));

/**
 * The binary's own bytes: what it reports about them, what it carries, and how changes are
 * detected.
 */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHash } from "node:crypto";
import { grants } from "../../src/config/permissions.ts";
import { binaryTest, form, runWith } from "./binary_place.ts";

Deno.test(
  binaryTest([], "the binary has exactly the committed list's permissions", async ({ home }) => {
    const { permissions } = await home.json(["version"]);
    const listed = grants.flatMap(({ name, values }) =>
      values === undefined ? [name] : values.map((value) => `${name}:${value}`)
    );
    assert.deepEqual(permissions, listed);
  }),
);

Deno.test(binaryTest(
  [],
  "the build writes the binary's digest and its embedded SBOM beside it",
  async ({ stella, home }) => {
    const digest = createHash("sha256").update(readFileSync(stella)).digest("hex");
    assert.equal(readFileSync(`${stella}.sha256`, "utf8"), `${digest}  stella\n`);
    await home.succeed(["assets", "write", "kit"]);
    const sbom = readFileSync(join(home.path, "kit/sbom.cdx.json"), "utf8");
    assert.equal(readFileSync(join(dirname(stella), "stella.cdx.json"), "utf8"), sbom);
  },
));

Deno.test(binaryTest(
  [],
  "a carried verifier is the binary itself, is listed, and works from the stick",
  async ({ stella, home, key }) => {
    await home.succeed([
      "export",
      "bundle",
      "--profile",
      "kit",
      "--manifest",
      "stick/manifest.json",
      "--include-self",
    ]);
    const carried = join(home.path, "stick/stella");
    assert.ok(readFileSync(carried).equals(readFileSync(stella)));
    const { files } = JSON.parse(readFileSync(join(home.path, "stick/manifest.json"), "utf8"));
    const entry = files.find(({ path }: { path: string }) => path === "stella");
    assert.equal(entry.sha256, createHash("sha256").update(readFileSync(stella)).digest("hex"));
    chmodSync(join(home.path, "stick"), 0o555);
    const printed = runWith({}, carried, ["verify", join(home.path, "stick"), "--trust", key]);
    chmodSync(join(home.path, "stick"), 0o755);
    assert.deepEqual([printed.code, printed.stderr], [0, ""]);
  },
));

Deno.test(binaryTest(
  [],
  "version --check detects a changed byte anywhere, and a truncated binary does not start",
  ({ stella, home }) => {
    const whole = readFileSync(stella);
    const changed = join(home.path, "changed");
    // The form of `deno compile` holds no digest of itself: it lies beside the file.
    copyFileSync(`${stella}.sha256`, `${changed}.sha256`);
    const stamp = 'globalThis.STELLA_BUILD={"commit":"';
    // Text that has no effect: part of a message in Deno's own executable, and the commit in the
    // script's first line.
    const places = [whole.indexOf("NotCapable"), whole.lastIndexOf(stamp) + stamp.length];
    for (const at of places) {
      const bytes = Uint8Array.from(whole);
      bytes[at] = bytes[at]! ^ 1;
      writeFileSync(changed, bytes, { mode: 0o755 });
      const { code, stdout } = runWith({}, changed, ["version", "--check", "--json"]);
      assert.deepEqual([code, JSON.parse(stdout).check.ok], [7, false], `byte ${at}`);
    }
    for (const length of [whole.length - 1, whole.length >> 1]) {
      copyFileSync(stella, changed);
      truncateSync(changed, length);
      const { code, stdout, stderr } = runWith({}, changed, ["version", "--check"]);
      if (form === "portable") {
        assert.equal(code, 1);
        assert.match(stderr, /^stella: Cannot start: the file is cut or was changed/);
      } else assert.deepEqual([code === 0, stdout.includes("match")], [false, false], stderr);
    }
  },
));

Deno.test(binaryTest(
  [],
  "a running service is the binary that the bundle carries",
  async ({ stella, home }) => {
    const manifest = join(home.path, "carried/manifest.json");
    await home.succeed([
      "export",
      "bundle",
      "--profile",
      "kit",
      "--manifest",
      manifest,
      "--include-self",
    ]);
    const running = await home.serve();
    try {
      const status = ["status", "--url", running.url, "--manifest", manifest];
      const { exit, service, manifest: named } = await home.json(status);
      const sha256 = createHash("sha256").update(readFileSync(stella)).digest("hex");
      assert.deepEqual([exit, service.binary, named.program], [0, { sha256 }, { sha256 }]);
      assert.match((await home.succeed(status)).stdout, /the bundle carries this very binary/);
    } finally {
      await running.stop();
    }
  },
));

/**
 * What is packed and what is left out: options beside --input, empty directories, private files.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { inputsOf } from "../../src/cli/export_request.ts";
import { writeFiles } from "../support/bundle_fixture.ts";
import { type Home, withHome } from "../support/program.ts";

const exported = ["export", "bundle", "--profile", "x", "--input", "in"];

function packed(home: Home, out: string): string[] {
  const lines = readFileSync(join(home.path, out, "SHA256SUMS"), "utf8").trimEnd().split("\n");
  return lines.map((line) => line.slice(66));
}

Deno.test("empty directories are reported in text, JSON, the report and a dry run", () =>
  withHome(async (home) => {
    writeFiles(home.path, { "in/keep/a": "x" });
    for (const path of ["logs/2026", "logs/2027", "b", "c"]) {
      mkdirSync(join(home.path, "in", path), { recursive: true });
    }
    const paths = ["b/", "c/", "logs/2026/", "logs/2027/"];
    const line = /^ {2}left out {2}4 empty directories: b\/, c\/, logs\/2026\/ and 1 more$/m;
    const manifest = ["--manifest", "out/manifest.json"];
    const dry = await home.succeed([...exported, ...manifest, "--dry-run"]);
    assert.match(dry.stdout, line);
    const plan = await home.json([...exported, ...manifest, "--dry-run"]);
    assert.deepEqual([plan.emptyDirectoryCount, plan.emptyDirectories], [4, paths]);
    const ran = await home.succeed([...exported, ...manifest, "--report", "report.json"]);
    assert.match(ran.stdout, line);
    const report = JSON.parse(readFileSync(join(home.path, "report.json"), "utf8"));
    assert.deepEqual([report.emptyDirectoryCount, report.emptyDirectories], [4, paths]);
  }));

Deno.test("refused inputs and an empty selection have a hint", () =>
  withHome(async (home) => {
    writeFiles(home.path, { "in/a.json": "1", "outside": "2" });
    symlinkSync("a.json", join(home.path, "in/link.json"));
    const out = ["--manifest", "out/manifest.json"];
    const plain = await home.stella([...exported, ...out]);
    assert.equal(plain.code, 9);
    assert.match(plain.stderr, /fix {7}keep a copy of what it leads to with --follow, or leave it/);
    assert.doesNotMatch(plain.stderr, /rename the files/);
    symlinkSync("../outside", join(home.path, "in/away"));
    const away = await home.stella([...exported, ...out, "--follow"]);
    assert.match(
      away.stderr,
      /leaves the source, .*\n {6}fix {7}put the file itself there, or leave/,
    );
    const none = await home.stella([...exported, ...out, "--include", "*.txt"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /Cannot export: include and exclude leave no file of "in"/);
    assert.match(none.stderr, /hint: {2}check the globs: .*case-sensitive/);
  }));

Deno.test("no empty directory is reported if there is none", () =>
  withHome(async (home) => {
    writeFiles(home.path, { "in/keep/a": "x" });
    const { stdout } = await home.succeed([...exported, "--manifest", "out/manifest.json"]);
    assert.doesNotMatch(stdout, /empty/);
  }));

Deno.test("--include, --exclude and --follow select what is packed of each --input", () =>
  withHome(async (home) => {
    writeFiles(home.path, {
      "in/a.json": "1",
      "in/b.txt": "2",
      "in/d/c.json": "3",
      "in/d/e.md": "",
    });
    symlinkSync("d/c.json", join(home.path, "in/link.json"));
    symlinkSync("d", join(home.path, "in/folder"));
    const manifest = ["--manifest", "out/manifest.json"];
    const refused = await home.json([...exported, ...manifest]);
    assert.deepEqual(
      [refused.exit, refused.findings.length],
      [9, 2],
      "links are refused without it",
    );
    await home.succeed([
      ...[...exported, ...manifest, "--follow"],
      ...["--include", "**/*.json", "--include", "*.txt", "--exclude", "a.*"],
    ]);
    assert.deepEqual(packed(home, "out"), ["b.txt", "d/c.json", "folder/c.json", "link.json"]);
  }));

Deno.test("links out of the input and link cycles are refused with --follow too", () =>
  withHome(async (home) => {
    writeFiles(home.path, { "in/a": "1", "secret": "2" });
    symlinkSync("../secret", join(home.path, "in/out"));
    symlinkSync(".", join(home.path, "in/round"));
    const { exit, findings } = await home.json([...exported, "--follow"]);
    assert.equal(exit, 9);
    assert.deepEqual(findings.map((one: { path: string }) => one.path).sort(), ["out", "round"]);
  }));

Deno.test("--include and --exclude without an input and invalid globs are refused", () => {
  assert.deepEqual(inputsOf({ input: ["p=in"], exclude: ["*.tmp"], follow: true }), [
    { prefix: "p", path: "in", exclude: ["*.tmp"], follow: true },
  ]);
  assert.throws(() => inputsOf({ follow: true }), /Cannot use --follow without --input/);
  assert.throws(() => inputsOf({ include: ["*"] }), /Cannot use --include without --input/);
  const odd = { input: ["in"], exclude: ["/etc"] };
  assert.throws(() => inputsOf(odd), /Cannot use --exclude "\/etc": it is absolute/);
});

Deno.test("a private key or secret is refused as a named file, in a directory, by hard link and as a program", () =>
  withHome(async (home) => {
    writeFiles(home.path, { "in/a": "1" });
    await home.succeed([...exported, "--manifest", "first/manifest.json"]);
    const key = join(home.state, "keys/signing.key");
    const attempt = (...args: string[]) =>
      home.json(["export", "bundle", "--profile", "y", "--manifest", "out/manifest.json", ...args]);
    for (const input of [key, join(home.state, "keys")]) {
      const named = await attempt("--input", input);
      assert.equal(named.exit, 9);
      assert.match(named.error.message, /^Cannot pack ".*keys.*": it is private to stella/);
    }
    Deno.linkSync(key, join(home.path, "in/b"));
    const linked = await attempt("--input", "in");
    assert.equal(linked.exit, 9);
    assert.deepEqual(
      linked.findings.map((one: { reason: string; path: string }) => [one.reason, one.path]),
      [["private_file", "b"]],
    );
    const carried = await attempt("--input", "first", "--include-binary", key);
    assert.equal(carried.exit, 9);
    assert.match(carried.error.message, /signing.key": it is private to stella/);
    const own = await attempt("--input", "first", "--input", "in/b");
    assert.equal(own.exit, 9);
    await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "kept/shared.key"]);
    const secret = await attempt("--input", "kept", "--secret", "kept/shared.key");
    assert.deepEqual([secret.exit, secret.findings[0]?.reason], [9, "private_file"]);
  }));

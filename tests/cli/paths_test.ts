/**
 * For every command, a path that cannot be used is code 12 with a plain message, and never a defect
 * of stella.
 */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asStellaError } from "../../src/cli/render.ts";
import { isLong } from "../support/needs.ts";
import { Home } from "../support/program.ts";

const place = ["export", "bundle"];
const registry = "oci://127.0.0.1:1/exports/kit:latest";

/** Each command with the path in one position; `bundle` is a valid bundle. */
const readers: [string, (path: string) => string[]][] = [
  ["verify", (path) => ["verify", path]],
  ["verify --manifest", (path) => [...place, "verify", "--manifest", path]],
  ["verify --manifest DIR/manifest.json", (path) => [
    ...place,
    "verify",
    "--manifest",
    `${path}/manifest.json`,
  ]],
  ["verify --trust", (path) => ["verify", "bundle", "--trust", path]],
  ["verify --secret", (path) => ["verify", "bundle", "--secret", path]],
  ["verify --volumes", (path) => ["verify", "bundle", "--volumes", path]],
  ["verify --receipt-key", (path) => [
    "verify",
    "bundle",
    "--receipt",
    "receipt.json",
    "--receipt-key",
    path,
  ]],
  ["unpack", (path) => [...place, "unpack", "--manifest", path, "--to", "to"]],
  ["list", (path) => [...place, "list", "--manifest", path]],
  ["show", (path) => [...place, "show", "--manifest", path]],
  ["diff", (path) => [...place, "diff", "bundle", path]],
  ["push", (path) => [...place, "push", "--manifest", path, registry]],
  ["risk query", (path) => ["risk", "query", "CVE-2021-44228", "--manifest", path]],
  // The end of the path: a link that is named as an input is refused as a link without being
  // followed.
  ["export --input", (path) => [...place, "--profile", "p", "--input", `${path}/input`]],
  ["export --key", (path) => [...place, "--profile", "p", "--input", "file", "--key", path]],
  ["export --secret", (path) => [...place, "--profile", "p", "--input", "file", "--secret", path]],
  ["export --include-binary", (path) => [
    ...place,
    "--profile",
    "p",
    "--input",
    "file",
    "--include-binary",
    path,
  ]],
  ["keys trust", (path) => ["keys", "trust", path]],
  ["keys show --key", (path) => ["keys", "show", "--public", "--key", path]],
  ["keys generate", (path) => ["keys", "generate", "--out", "new.key", "--passphrase-file", path]],
  ["config check", (path) => ["config", "check", "--config", path]],
];

/** Those that write below the path. */
const writers: [string, (path: string) => string[]][] = [
  ["unpack --to", (path) => [...place, "unpack", "--manifest", "bundle", "--to", path]],
  ["verify --receipt", (path) => ["verify", "bundle", "--receipt", `${path}/receipt.json`]],
  ["verify --report", (path) => ["verify", "bundle", "--report", `${path}/report.json`]],
  ["assets write", (path) => ["assets", "write", path]],
  ["keys generate --out", (path) => ["keys", "generate", "--out", `${path}/x.key`]],
  [
    "export --manifest",
    (path) => [...place, "--profile", "kit", "--manifest", `${path}/manifest.json`],
  ],
];

/**
 * Each command is a process, so without STELLA_TEST_LONG each tries only one of the paths in turn.
 */
function tried(paths: string[], turn: number): string[] {
  return isLong ? paths : paths.slice(turn % paths.length).slice(0, 1);
}

Deno.test("for every command, a path that cannot be used is code 12 with a plain message", async (t) => {
  const home = new Home();
  await home.succeed([...place, "--profile", "kit", "--manifest", "bundle/manifest.json"]);
  writeFileSync(join(home.path, "file"), "x");
  mkdirSync(join(home.path, "empty"));
  symlinkSync("loop", join(home.path, "loop"));
  const refuses = async (args: string[]) => {
    const ran = await home.json(args);
    const printed = JSON.stringify([ran.error, ran.findings]);
    assert.equal(ran.exit, 12, `${args.join(" ")}: ${printed}`);
    assert.doesNotMatch(printed, /ENOENT|ENOTDIR|ELOOP|os error|lstat|defect/, args.join(" "));
  };
  try {
    const unreadable = ["none", "file/below", "loop"];
    for (const [i, [name, args]] of readers.entries()) {
      await t.step(
        `${name} refuses a missing path, a path below a file and a link to itself`,
        async () => {
          await Promise.all(tried(unreadable, i).map((path) => refuses(args(path))));
        },
      );
    }
    const unwritable = ["file/below", "loop/below", "n".repeat(300)];
    for (const [i, [name, args]] of writers.entries()) {
      await t.step(
        `${name} refuses a path below a file, below a link to itself and one that is too long`,
        async () => {
          await Promise.all(tried(unwritable, i).map((path) => refuses(args(path))));
        },
      );
    }
    await t.step("a directory without a manifest is code 3", async () => {
      const named = [...place, "verify", "--manifest", "empty/manifest.json"];
      for (const args of [["verify", "empty"], named, [...place, "show", "--manifest", "empty"]]) {
        const ran = await home.json(args);
        assert.equal(ran.exit, 3);
        assert.match(ran.error.message, /"empty": no manifest\.json in it$/);
      }
    });
  } finally {
    home.remove();
  }
});

Deno.test("an uncaught system error is reported for its path, and without a path as a defect", () => {
  const lost = Object.assign(new Error("ENOENT: no such file or directory, open '/mnt/a b'"), {
    code: "ENOENT",
    path: "/mnt/a b",
  });
  const { exitCode, message } = asStellaError(lost);
  assert.deepEqual([exitCode, message], [12, 'Cannot use "/mnt/a b": no such file or directory']);
  const native = asStellaError(
    Object.assign(new Error("Permission denied (os error 13): readdir '/mnt/c'"), {
      code: "EACCES",
    }),
  );
  assert.deepEqual([native.exitCode, native.message], [
    12,
    'Cannot use "/mnt/c": permission denied',
  ]);
  assert.equal(asStellaError(new TypeError("x is not a function")).exitCode, 1);
  assert.equal(asStellaError(Object.assign(new Error("x"), { code: "ERR_BAD" })).exitCode, 1);
});

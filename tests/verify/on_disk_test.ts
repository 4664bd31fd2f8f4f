/** Bundles in a real directory: links, odd names and foreign files, as a stick may bring them. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { directorySource } from "../../src/bundle/source.ts";
import { makeBundle, withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";

const archive = makeBundle({ compression: "zstd" });
const directory = makeBundle({ layout: "directory" });

type Row = [string, (root: string) => void, number, string[]];

function link(path: string, target: string): (root: string) => void {
  return (root) => {
    rmSync(join(root, path), { recursive: true, force: true });
    symlinkSync(target, join(root, path));
  };
}

/** Moves what is at `path` elsewhere in the directory and puts a link to it in its place. */
function moveAndLink(path: string): (root: string) => void {
  return (root) => {
    mkdirSync(join(root, "moved"));
    renameSync(join(root, path), join(root, "moved/it"));
    symlinkSync(join(root, "moved/it"), join(root, path));
  };
}

function shell(script: string): (root: string) => void {
  return (cwd) => {
    const { success, stderr } = new Deno.Command("sh", { args: ["-ec", script], cwd }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
}

/** Makes a directory of more than 4 MiB, which the verifier does not list. */
function fill(path: string): void {
  mkdirSync(path);
  for (let at = 0; at % 500 > 0 || statSync(path).size <= 4 * 1024 * 1024; at++) {
    writeFileSync(join(path, `${at}`.padEnd(250, "x")), "");
    if (at === 250_000) throw new Error("directories of this file system do not grow");
  }
}

const archiveRows: Row[] = [
  ["untouched", () => {}, 0, []],
  ["other files beside it", (root) => writeFiles(root, { "photo.jpg": "", "x/y": "" }), 0, []],
  ["a link in place of the archive", moveAndLink("p.tar.zst"), 9, [
    "9 unsafe_entry p.tar.zst",
    "6 not_judged a.txt",
  ]],
  ["a link in place of the index", moveAndLink("SHA256SUMS"), 9, ["9 unsafe_entry SHA256SUMS"]],
  ["a dangling link", link("VERIFY.txt", "/nowhere"), 9, ["9 unsafe_entry VERIFY.txt"]],
  [
    "a directory in place of a file",
    (root) => {
      rmSync(join(root, "VERIFY.txt"));
      mkdirSync(join(root, "VERIFY.txt"));
    },
    9,
    ["9 unsafe_entry VERIFY.txt"],
  ],
  ["a pipe in place of a file", shell("rm VERIFY.txt; mkfifo VERIFY.txt"), 9, [
    "9 unsafe_entry VERIFY.txt",
  ]],
];

const directoryRows: Row[] = [
  ["untouched", () => {}, 0, []],
  ["an empty directory more", (root) => mkdirSync(join(root, "payload/none")), 0, []],
  ["a file more", (root) => writeFileSync(join(root, "payload/b/x"), ""), 8, [
    "8 entry_unexpected payload/b/x",
  ]],
  ["a hidden file more", (root) => writeFileSync(join(root, "payload/.x"), ""), 8, [
    "8 entry_unexpected payload/.x",
  ]],
  ["far more files than the index lists", (root) => fill(join(root, "payload/b/x")), 8, [
    "8 entry_unexpected payload/b/x",
  ]],
  ["a link more", (root) => symlinkSync("a.txt", join(root, "payload/x")), 9, [
    "9 unsafe_entry payload/x",
  ]],
  ["a link to a directory more", (root) => symlinkSync("/etc", join(root, "payload/x")), 9, [
    "9 unsafe_entry payload/x",
  ]],
  ["a pipe more", shell("mkfifo payload/x"), 9, ["9 unsafe_entry payload/x"]],
  ["a name more that is not UTF-8", shell("touch \"$(printf 'payload/x\\377')\""), 9, [
    "9 unsafe_entry payload/x\ufffd",
  ]],
  ["a directory more that is not UTF-8", shell("mkdir \"$(printf 'payload/x\\377')\""), 9, [
    "9 unsafe_entry payload/x\ufffd",
  ]],
  [
    "a name more that moves the cursor",
    (root) => writeFileSync(join(root, "payload/\u001b[2J"), ""),
    8,
    [
      "8 entry_unexpected payload/\u001b[2J",
    ],
  ],
  [
    "a missing file and a foreign one",
    (root) => renameSync(join(root, "payload/a.txt"), join(root, "payload/z")),
    8,
    [
      "6 file_missing payload/a.txt",
      "8 entry_unexpected payload/z",
    ],
  ],
  ["no payload", (root) => rmSync(join(root, "payload"), { recursive: true }), 6, [
    "6 file_missing payload/a.txt",
    "6 file_missing payload/b/run.sh",
    "6 file_missing payload/b/\u00e9t\u00e9.json",
    "6 file_missing payload/c.bin",
    "6 file_missing payload/d/empty",
  ]],
  [
    "a file in place of a directory",
    (root) => {
      rmSync(join(root, "payload/d"), { recursive: true });
      writeFileSync(join(root, "payload/d"), "");
    },
    8,
    ["6 file_missing payload/d/empty", "8 entry_unexpected payload/d"],
  ],
  ["a link in place of a file", link("payload/a.txt", "c.bin"), 9, [
    "9 unsafe_entry payload/a.txt",
    "9 unsafe_entry payload/a.txt",
  ]],
];

for (const [made, rows] of [[archive, archiveRows], [directory, directoryRows]] as const) {
  Deno.test(`on disk, layout ${made.manifest.payload.layout}`, async () => {
    for (const [about, change, code, expected] of rows) {
      await withDirectory(async (root) => {
        writeFiles(root, made.files);
        change(root);
        const outcome = await outcomeOf(directorySource(root), [made.key.trusted]);
        assert.deepEqual(outcome.findings, [...expected].sort(), about);
        assert.equal(outcome.code, code, about);
      });
    }
  });
}

Deno.test("a payload that is a link is refused, even to the right files, and nothing of the target is listed", async () => {
  for (const target of ["moved", "/etc", "/"]) {
    await withDirectory(async (root) => {
      writeFiles(root, directory.files);
      renameSync(join(root, "payload"), join(root, "moved"));
      symlinkSync(target, join(root, "payload"));
      const { code, findings } = await outcomeOf(directorySource(root), [directory.key.trusted]);
      assert.equal(code, 9);
      assert.ok(findings.includes("9 unsafe_entry payload"));
      assert.ok(findings.every((one) => /^9 unsafe_entry payload/.test(one)), findings.join("; "));
      assert.equal(findings.length, 6);
    });
  }
});

Deno.test("a manifest or attestation that is a link is refused unread", async () => {
  for (const name of ["manifest.json", "manifest.json.sigstore.json"]) {
    await withDirectory(async (root) => {
      writeFiles(root, archive.files);
      moveAndLink(name)(root);
      const { code, findings } = await outcomeOf(directorySource(root), [archive.key.trusted]);
      assert.equal(code, 9);
      assert.match(findings[0]!, /thrown Cannot read .*it is a symbolic link/);
    });
  }
});

Deno.test("a path that is too long for this system is a missing file, and no error", async () => {
  const path = `${"a/".repeat(2047)}b`;
  const made = makeBundle({ layout: "directory", entries: [{ path, content: "x" }] });
  await withDirectory(async (root) => {
    writeFiles(root, new Map([...made.files].filter(([name]) => !name.startsWith("payload/"))));
    const { code, findings } = await outcomeOf(directorySource(root), [made.key.trusted]);
    assert.deepEqual([code, findings], [6, [`6 file_missing payload/${path}`]]);
  });
});

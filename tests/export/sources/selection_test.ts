import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../../src/domain/errors.ts";
import { globFault } from "../../../src/config/glob.ts";
import type { FilesSource } from "../../../src/config/profile.ts";
import { layOut } from "../../../src/export/sources/inputs.ts";
import { walk } from "../../../src/export/sources/walk.ts";
import { withDirectory, writeFiles } from "../../support/bundle_fixture.ts";
import { refusal, run } from "../../support/run_export.ts";

interface Walked {
  /** Payload path, and where its bytes are where that differs. */
  paths: string[];
  faults: string[];
  empty: string[];
}

function walked(...sources: FilesSource[]): Walked {
  const faults: Finding[] = [];
  const empty: string[] = [];
  const tree = layOut(sources, []);
  const paths = [...walk(tree, (f) => faults.push(f), (p) => empty.push(p))].map((one) => one.path);
  // A second walk of the same tree finds the same: an export walks twice.
  assert.deepEqual([...walk(tree, () => {})].map((one) => one.path), paths);
  return { paths, empty, faults: faults.map((f) => `${f.path}: ${f.found}`) };
}

const files = {
  "a.json": "",
  "b.txt": "",
  ".hidden.json": "",
  "d/c.json": "",
  "d/.h/e.json": "",
  "d/tmp/f.json": "",
  "tmp/.env": "",
  "tmp/g.json": "",
  "tmp.json": "",
};

Deno.test("include and exclude are globs over the path below the source", async () => {
  await withDirectory((root) => {
    writeFiles(root, files);
    const cases: [Pick<FilesSource, "include" | "exclude">, string[]][] = [
      [{ include: ["*.json"] }, [".hidden.json", "a.json", "tmp.json"]],
      [{ include: ["**/c.json", "*.txt"] }, ["b.txt", "d/c.json"]],
      [{ include: ["d/**"] }, ["d/.h/e.json", "d/c.json", "d/tmp/f.json"]],
      [{ include: ["d/.h/*"] }, ["d/.h/e.json"]],
      [{ include: ["{.hidden,a}.json"] }, [".hidden.json", "a.json"]],
      [{ include: ["A.json"] }, []],
      [{ include: ["**/*"], exclude: ["**/*.json"] }, ["b.txt", "tmp/.env"]],
      [{ exclude: ["tmp"] }, [
        ".hidden.json",
        "a.json",
        "b.txt",
        "d/.h/e.json",
        "d/c.json",
        "d/tmp/f.json",
        "tmp.json",
      ]],
      // A secret in a directory that is left out must not slip through because its name begins with
      // a dot.
      [{ include: ["tmp/**"], exclude: ["tmp/*"] }, []],
      [{ exclude: ["tmp/**", "d/**"] }, [".hidden.json", "a.json", "b.txt", "tmp.json"]],
      [{ exclude: ["**/tmp", "d", ".*"] }, ["a.json", "b.txt", "tmp.json"]],
      [{ include: ["a.json"], exclude: ["a.json"] }, []],
    ];
    for (const [globs, expected] of cases) {
      const { paths, faults, empty } = walked({ path: root, ...globs });
      assert.deepEqual([paths, faults, empty], [expected, [], []], JSON.stringify(globs));
    }
    // With a prefix the globs see the same paths.
    assert.deepEqual(walked({ path: root, prefix: "p/q", include: ["d/c.json"] }).paths, [
      "p/q/d/c.json",
    ]);
    const one = { path: join(root, "a.json") };
    assert.deepEqual(walked({ ...one, include: ["*.json"] }).paths, ["a.json"]);
    assert.deepEqual(walked({ ...one, exclude: ["*.json"] }).paths, []);
  });
});

Deno.test("each of several overlaid sources has its own globs", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "one/d/a.json": "", "one/d/a.txt": "", "two/d/a.txt": "", "two/d/b": "" });
    const { paths, faults } = walked(
      { path: join(root, "one"), include: ["**/*.json"] },
      { path: join(root, "two"), exclude: ["d/b"] },
    );
    assert.deepEqual([paths, faults], [["d/a.json", "d/a.txt"], []]);
  });
});

Deno.test("excluded names, links and special files are not errors", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "a": "", "con": "", "d/b\\": "", "e/x": "", "e/X": "" });
    symlinkSync("a", join(root, "link"));
    const { paths, faults } = walked({ path: root, exclude: ["con", "link", "d", "e/X"] });
    assert.deepEqual([paths, faults], [["a", "e/x"], []]);
    assert.deepEqual(walked({ path: root, include: ["a", "l*"] }).faults, [
      "link: it is a symbolic link",
    ]);
  });
});

Deno.test("follow: links inside the source are followed, to files and directories", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "in/a": "1", "in/d/b": "2", "in/e/.k": "" });
    const link = (path: string, target: string) => symlinkSync(target, join(root, "in", path));
    link("file", "d/b");
    link("absolute", join(root, "in/a"));
    link("d/up", "../a");
    link("folder", "d");
    link("chain", "folder/up");
    const source = { path: join(root, "in"), follow: true };
    const { paths, faults } = walked(source);
    assert.deepEqual(faults, []);
    assert.deepEqual(paths, [
      "a",
      "absolute",
      "chain",
      "d/b",
      "d/up",
      "e/.k",
      "file",
      "folder/b",
      "folder/up",
    ]);
    assert.deepEqual(walked({ ...source, exclude: ["folder"], include: ["**/b", "file"] }).paths, [
      "d/b",
      "file",
    ]);
    assert.equal(
      walked({ path: join(root, "in") }).faults.length,
      5,
      "without it, each is a fault",
    );
  });
});

Deno.test("follow: a link that leaves the source, dangles or forms a cycle is a fault", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "in/a": "", "in/d/b": "", "in2/x": "", "out": "" });
    const link = (path: string, target: string) => symlinkSync(target, join(root, "in", path));
    link("l0", "../out");
    link("l1", "/etc/passwd");
    link("l2", "../in2/x");
    link("l3", "nowhere");
    link("l4", "l4");
    link("l5", "..");
    link("d/l6", "..");
    link("d/l7", ".");
    link("l8", "/dev/null");
    const { paths, faults } = walked({ path: join(root, "in"), follow: true });
    assert.deepEqual(paths, ["a", "d/b"]);
    const leaves = (target: string) =>
      `it is a symbolic link that leaves the source, to "${target}"`;
    assert.deepEqual(
      faults,
      [
        "d/l6: it is a symbolic link to a directory that it lies in",
        "d/l7: it is a symbolic link to a directory that it lies in",
        `l0: ${leaves(join(root, "out"))}`,
        `l1: ${leaves("/etc/passwd")}`,
        `l2: ${leaves(join(root, "in2/x"))}`,
        "l3: it is a symbolic link to nothing",
        "l4: it is a symbolic link to itself",
        `l5: ${leaves(root)}`,
        `l8: ${leaves("/dev/null")}`,
      ].sort((a, b) => faults.indexOf(a) - faults.indexOf(b)),
    );
    assert.equal(faults.length, 9);
  });
});

Deno.test("follow: two directories that link to each other do not cause an endless walk", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "a/x": "", "b/y": "" });
    symlinkSync("../b", join(root, "a/to"));
    symlinkSync("../a", join(root, "b/to"));
    const { paths, faults } = walked({ path: root, follow: true });
    assert.deepEqual(paths, ["a/to/y", "a/x", "b/to/x", "b/y"]);
    assert.deepEqual(faults, [
      "a/to/to: it is a symbolic link to a directory that it lies in",
      "b/to/to: it is a symbolic link to a directory that it lies in",
    ]);
  });
});

Deno.test("follow: links that multiply the packed files are limited", async () => {
  await withDirectory((root) => {
    for (let i = 0; i < 40; i++) {
      mkdirSync(join(root, `${i}`));
      for (const name of ["a", "b"]) symlinkSync(`../${i + 1}`, join(root, `${i}`, name));
    }
    writeFiles(root, { "40/file": "" });
    assert.throws(() => walked({ path: root, follow: true }), {
      kind: "unsafe",
      message: /links lead to more than 10000 directories/,
    });
    return Promise.resolve();
  });
});

Deno.test("an export packs the targets of links and only files that match the globs", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "in/a.json": "content", "in/b.txt": "", "plain/a.json": "content" });
    writeFiles(root, { "plain/c.json": "content" });
    symlinkSync("a.json", join(root, "in/c.json"));
    mkdirSync(join(root, "in/none"));
    const source = { path: join(root, "in"), include: ["*.json"], follow: true };
    const linked = await run(join(root, "out"), [], { sources: [source] });
    const plain = await run(join(root, "out2"), join(root, "plain"));
    assert.equal(linked.bundleDigest, plain.bundleDigest);
    const nothing = { path: join(root, "in"), include: ["*.jsn"] };
    const { code, message } = await refusal(() =>
      run(join(root, "out3"), [], { sources: [nothing] })
    );
    assert.deepEqual([code, /include and exclude leave no file of /.test(message)], [
      2,
      true,
    ]);
  });
});

Deno.test("globs that cannot match or have other meanings in other tools are refused", () => {
  const refused: [string, RegExp][] = [
    ["", /empty/],
    ["/a", /absolute/],
    ["../a", /the part/],
    ["a/..", /the part/],
    ["./a", /the part/],
    ["a//b", /empty part/],
    ["a/", /empty part/],
    ["a\\b", /the character \\/],
    ["c:a", /the character :/],
    ["x".repeat(1001), /longer/],
  ];
  for (const [glob, reason] of refused) assert.match(globFault(glob) ?? "", reason, glob);
  for (const glob of ["**", "*.json", "a/**/b", ".git", "{a,b}/*.c", "[ab]?", "..a"]) {
    assert.equal(globFault(glob), undefined, glob);
  }
});

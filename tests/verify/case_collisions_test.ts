/**
 * Names that collide on a case-insensitive or normalizing file system are code 9, for every source
 * of a bundle.
 */
import assert from "node:assert/strict";
import { comparePaths, folded, pathFault } from "../../src/domain/paths.ts";
import { caseCollisions, CollisionSearch, NameHashes } from "../../src/bundle/case_collisions.ts";
import { makeBundle, withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { always, fc } from "../support/property.ts";
import { streamOf, verifyStream } from "../support/bundle_stream.ts";
import { directorySource } from "../../src/bundle/source.ts";
import { outcomeOf, verifyInMemory } from "../support/outcome.ts";

/** Colliding names in a sorted list of paths, as verification finds them. */
function found(paths: readonly string[]): [string, string][] {
  const numbers = new NameHashes();
  paths.forEach((path) => numbers.add(path));
  const search = new CollisionSearch(numbers.shared());
  return paths.flatMap((path) => search.add(path));
}

/** What an export refuses: colliding names of one directory, files and directories alike. */
function refusedByExport(paths: readonly string[]): boolean {
  const folders = new Map<string, Set<string>>();
  for (const path of paths) {
    const parts = path.split("/");
    parts.forEach((name, i) => {
      const folder = parts.slice(0, i).join("/");
      folders.set(folder, (folders.get(folder) ?? new Set()).add(name));
    });
  }
  return [...folders.values()].some((names) => [...caseCollisions([...names])].length > 0);
}

const part = fc.constantFrom("a", "A", "b", "é", "É", "ss", "ß", "k", "\u212a", "ﬁ", "fi", "1");
const name = fc.array(part, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(""));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

/** Paths that an index may have: sorted, each once, no file below a file. */
function asIndex(paths: readonly string[]): string[] {
  const sorted = [...new Set(paths)].filter((one) => pathFault(one) === undefined).sort(
    comparePaths,
  );
  return sorted.filter((one) => !sorted.some((file) => one.startsWith(`${file}/`)));
}

Deno.test("property: verification and export refuse the same colliding names", () => {
  let refused = 0;
  always(
    fc.property(fc.array(path, { maxLength: 10 }), (list) => {
      const paths = asIndex(list);
      const pairs = found(paths);
      assert.equal(pairs.length > 0, refusedByExport(paths), paths.join(" "));
      for (const [one, twin] of pairs) {
        const form = (text: string) => text.split("/").map(folded).join("\0");
        assert.ok(one !== twin && form(one) === form(twin), `${one} ${twin}`);
      }
      if (pairs.length > 0) refused++;
    }),
    1_000,
  );
  assert.ok(refused > 50, `${refused}`);
});

Deno.test("a name whose case-folded form has a slash does not collide with a path", () => {
  assert.deepEqual(found(["a/c", "\u2100"]), []);
  assert.deepEqual(found(["A/c", "a/C"]), [["a", "A"], ["a/C", "A/c"]]);
});

const rows: [string, string[], string[]][] = [
  ["two files", ["README", "readme"], ["9 case_collision readme"]],
  ["two directories", ["A/x", "b", "a/y"], ["9 case_collision a"]],
  ["a file and a directory", ["A", "a/y"], ["9 case_collision a"]],
  ["three of one form", ["AB", "Ab", "ab"], ["9 case_collision Ab", "9 case_collision ab"]],
  ["other letters of one form", ["ss", "ß"], ["9 case_collision ß"]],
  ["no collision", ["a", "ab", "b/a", "c/a"], []],
];

Deno.test("a signed bundle with colliding names is code 9 as archive, as directory and from a pipe", async () => {
  for (const [about, paths, findings] of rows) {
    const entries = paths.filter((one) => pathFault(one) === undefined)
      .map((one) => ({ path: one, content: one }));
    const code = findings.length === 0 ? 0 : 9;
    const archive = makeBundle({ entries });
    assert.deepEqual([about, (await verifyInMemory(archive)).findings], [about, findings]);
    assert.equal((await verifyInMemory(archive)).code, code);
    const directory = makeBundle({ entries, layout: "directory" });
    await withDirectory(async (root) => {
      writeFiles(root, directory.files);
      const outcome = await outcomeOf(directorySource(root), [directory.key.trusted]);
      assert.deepEqual([about, outcome.code, outcome.findings], [about, code, findings]);
    });
    const piped = await verifyStream(await streamOf(archive), archive);
    assert.equal(piped.code, code, about);
  }
});

Deno.test("a million names need one number each", () => {
  const numbers = new NameHashes();
  const before = Deno.memoryUsage();
  for (let i = 0; i < 1_000_000; i++) {
    numbers.add(`advisories/${String(i >> 10).padStart(4, "0")}/CVE-${String(i).padStart(7, "0")}`);
  }
  const shared = numbers.shared();
  // Two of a million names share 52 bits once in ten thousand runs.
  assert.ok(shared.size <= 1, `${shared.size} numbers are shared`);
  const after = Deno.memoryUsage();
  const grown = after.external - before.external + Math.max(0, after.heapUsed - before.heapUsed);
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
});

Deno.test("names beyond the limit of comparisons are reported as not compared", () => {
  const every = { has: () => true } as unknown as ReadonlySet<number>;
  const search = new CollisionSearch(every);
  for (let i = 0; i < 50_001; i++) search.add(`n${i}`);
  assert.ok(search.isFull);
});

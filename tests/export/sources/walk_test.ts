import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Finding } from "../../../src/domain/errors.ts";
import { comparePaths, folded, pathFault } from "../../../src/domain/paths.ts";
import { parseInput } from "../../../src/cli/export_request.ts";
import { layOut } from "../../../src/export/sources/inputs.ts";
import { walk } from "../../../src/export/sources/walk.ts";
import { always, alwaysAsync, fc } from "../../support/property.ts";
import { withDirectory, writeFiles } from "../../support/bundle_fixture.ts";
import { refusal, run } from "../../support/run_export.ts";

interface Walked {
  paths: string[];
  /** `path: what`. */
  faults: string[];
  empty: string[];
}

function walked(...inputs: string[]): Walked {
  const faults: Finding[] = [];
  const empty: string[] = [];
  const tree = layOut(inputs.map(parseInput), []);
  const paths = [...walk(tree, (f) => faults.push(f), (p) => empty.push(p))].map((one) => one.path);
  return { paths, empty, faults: faults.map((f) => `${f.path}: ${f.found}`) };
}

const part = fc.constantFrom(
  "a",
  "b",
  "a-b",
  "a.b",
  "a0",
  "aa",
  "\u00e9",
  "\ufb01x",
  "\u{1f600}",
  "z",
);
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

/** Paths of which none is a directory of another, and no two collide. */
const paths = fc.uniqueArray(path, { maxLength: 14, selector: folded })
  .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))));

Deno.test("property: the walk is in bytewise order of whole paths", () => {
  always(
    fc.property(paths, (all) => {
      const builtin = all.map((path) => ({ path, bytes: new Uint8Array(0) }));
      const found = [...walk(layOut([], builtin), (f) => assert.fail(f.found))].map((one) =>
        one.path
      );
      assert.deepEqual(found, [...all].sort(comparePaths));
    }),
    300,
  );
});

Deno.test("property: the walk on disk and over several overlaid inputs is in bytewise order", async () => {
  await alwaysAsync(
    fc.asyncProperty(
      paths,
      fc.integer({ min: 1, max: 3 }),
      (all, count) =>
        withDirectory((root) => {
          for (let i = 0; i < count; i++) mkdirSync(join(root, String(i)));
          all.forEach((path, i) => {
            const full = join(root, String(i % count), path);
            mkdirSync(dirname(full), { recursive: true });
            writeFileSync(full, "");
          });
          const inputs = Array.from({ length: count }, (_, i) => join(root, String(i)));
          const { paths: found, faults } = walked(...inputs);
          assert.deepEqual(faults, []);
          assert.deepEqual(found, [...all].sort(comparePaths));
        }),
    ),
    40,
  );
});

Deno.test("inputs: directories are overlaid, files keep their names, prefixes are prepended", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "one/a": "", "one/d/b": "", "two/d/c": "", "f": "", "x=y": "" });
    const at = (path: string) => join(root, path);
    assert.deepEqual(walked(at("one"), at("two")).paths, ["a", "d/b", "d/c"]);
    assert.deepEqual(walked(at("f")).paths, ["f"]);
    assert.deepEqual(walked(`p/q=${at("f")}`).paths, ["p/q/f"]);
    assert.deepEqual(walked(`p/=${at("one")}`).paths, ["p/a", "p/d/b"]);
    assert.deepEqual(walked(at("one"), `d=${at("f")}`).paths, ["a", "d/b", "d/f"]);
    assert.deepEqual(
      walked(at("x=y")).paths,
      ["x=y"],
      "a path that begins with / or . has no prefix",
    );
    assert.deepEqual(walked(at("one"), `d=${at("two/d")}`).paths, ["a", "d/b", "d/c"]);
  });
});

Deno.test("parseInput", () => {
  assert.deepEqual(parseInput("dir"), { path: "dir" });
  assert.deepEqual(parseInput("p=dir"), { prefix: "p", path: "dir" });
  assert.deepEqual(parseInput("p=a=b"), { prefix: "p", path: "a=b" });
  assert.deepEqual(parseInput("./p=dir"), { path: "./p=dir" });
  assert.deepEqual(parseInput("/p=dir"), { path: "/p=dir" });
  assert.deepEqual(parseInput("=dir"), { path: "=dir" });
});

Deno.test("inputs that cannot be combined are refused by name", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "f": "", "g/f": "", "d/x": "" });
    symlinkSync(join(root, "f"), join(root, "link"));
    const at = (path: string) => join(root, path);
    const refused: [string[], number, RegExp][] = [
      [[at("f"), at("g/f")], 2, /two inputs under the same name "f"/],
      [[at("none")], 12, /Cannot read the input .*none/],
      [[at("link")], 9, /it is a symbolic link/],
      [["/dev/null"], 9, /it is a device/],
      [[`../x=${at("f")}`], 12, /Cannot read the input/],
      [[`a/../b=${at("f")}`], 2, /Cannot use the prefix .*the part \.\./],
      [[`a//b=${at("f")}`], 2, /Cannot use the prefix/],
      [[`\u001b=${at("f")}`], 2, /Cannot use the prefix "\\u\{1b\}"/],
    ];
    for (const [inputs, code, reason] of refused) {
      const result = await refusal(() => walked(...inputs));
      assert.deepEqual([result.code, reason.test(result.message)], [code, true], result.message);
    }
  });
});

Deno.test("every input that cannot be packed is named", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "f": "" });
    symlinkSync(join(root, "f"), join(root, "link"));
    const inputs = [join(root, "none"), join(root, "f"), join(root, "link")];
    const { code, message, findings } = await refusal(() => walked(...inputs));
    assert.equal(code, 12);
    assert.match(message, /2 of the inputs cannot be packed/);
    assert.equal(findings.length, 2);
    assert.match(findings[0]!, /^path_missing .*none: Cannot read the input/);
    assert.match(findings[1]!, /^unsafe_entry .*link: .*it is a symbolic link/);
  });
});

Deno.test("the same file in two inputs, and a file where another input has a directory, are faults", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "one/a": "", "one/d/b": "", "two/a": "", "two/d": "" });
    const { faults } = walked(join(root, "one"), join(root, "two"));
    assert.deepEqual(faults, ["a: two inputs have this name", "d: two inputs have this name"]);
  });
});

Deno.test("an unsafe entry outranks a name that two inputs share in the exit code", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "one/a": "", "two/a": "", "two/z/b": "" });
    symlinkSync("b", join(root, "two/z/link"));
    const inputs = [join(root, "one"), join(root, "two")];
    const { code, findings } = await refusal(() => run(join(root, "out"), inputs));
    assert.deepEqual(findings, [
      "input_duplicate a: two inputs have this name",
      "unsafe_entry z/link: it is a symbolic link",
    ]);
    assert.equal(code, 9);
  });
});

Deno.test("all faults are reported at once: names, collisions, links, special files, bytes that are not UTF-8", async () => {
  await withDirectory(async (root) => {
    const input = join(root, "in");
    writeFiles(input, {
      "good": "",
      "a\\b": "",
      "con": "",
      "d/nul.txt": "",
      "d/trailing ": "",
      "d/README": "",
      "d/readme": "",
      "e/e\u0301": "",
      "\u202ex": "",
      "-": "",
      "d/-": "",
    });
    symlinkSync("good", join(input, "link"));
    symlinkSync("/etc", join(input, "d/link"));
    const shell =
      "mkfifo pipe; touch \"$(printf 'f\\377')\"; mkdir \"$(printf 'g\\377')\"; touch \"$(printf 'g\\377/x')\"";
    assert.ok(new Deno.Command("sh", { args: ["-ec", shell], cwd: input }).outputSync().success);
    const { code, findings, error } = await refusal(() => run(join(root, "out"), input));
    assert.equal(code, 9);
    const control =
      "not every system can hold this name: it has a control character or is not UTF-8";
    assert.deepEqual(
      findings.sort(),
      [
        "unsafe_entry d/link: it is a symbolic link",
        "unsafe_entry link: it is a symbolic link",
        "unsafe_entry pipe: it is a device, pipe or socket",
        "unsafe_name -: not every system can hold this name: sha256sum would read standard input for it",
        "unsafe_name a\\b: not every system can hold this name: it has the character \\",
        "unsafe_name con: not every system can hold this name: a part is a Windows device name",
        "unsafe_name d/nul.txt: not every system can hold this name: a part is a Windows device name",
        "case_collision d/readme: it differs from README only by case or Unicode form",
        "unsafe_name d/trailing : not every system can hold this name: a part ends with a dot or a space",
        "unsafe_name e/e\u0301: not every system can hold this name: it is not in Unicode form NFC",
        `unsafe_name f\ufffd: ${control}`,
        `unsafe_name g\ufffd: ${control}`,
        `unsafe_name \u202ex: ${control}`,
      ].sort(),
    );
    assert.match(error.message, /13 entries of the inputs cannot be packed/);
    assert.deepEqual(
      Deno.statSync(root).isDirectory && [...Deno.readDirSync(root)].map((e) => e.name),
      ["in"],
    );
  });
});

Deno.test("a thousand faults are listed, and all are counted", async () => {
  await withDirectory(async (root) => {
    const names = Array.from({ length: 1100 }, (_, i) => [`in/${i}.`, ""]);
    writeFiles(root, Object.fromEntries(names));
    const { findings, message } = await refusal(() => run(join(root, "out"), join(root, "in")));
    assert.equal(findings.length, 1000);
    assert.match(message, /1100 entries/);
  });
});

Deno.test("empty directories are reported, hidden files are packed", async () => {
  await withDirectory((root) => {
    writeFiles(root, { ".hidden/.x": "", "a/b": "" });
    mkdirSync(join(root, "a/none/deeper"), { recursive: true });
    mkdirSync(join(root, "void"));
    const { paths: found, empty } = walked(root);
    assert.deepEqual(found, [".hidden/.x", "a/b"]);
    assert.deepEqual(empty, ["a/none/deeper/", "void/"]);
  });
});

Deno.test("property: the walk refuses a tree if and only if one of its paths is invalid", () => {
  const odd = fc.constantFrom("a", "b.", "con", "e\u0301", "x:y", "A", "-", "c");
  const any = fc.uniqueArray(
    fc.array(odd, { minLength: 1, maxLength: 2 }).map((p) => p.join("/")),
    { maxLength: 4 },
  )
    .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))))
    // `-` is refused only as a whole path; the walk cannot know that of a directory.
    .filter((all) => !all.some((path) => path.startsWith("-/")));
  always(
    fc.property(any, (all) => {
      const builtin = all.map((path) => ({ path, bytes: new Uint8Array(0) }));
      let faults = 0;
      for (const _ of walk(layOut([], builtin), () => faults++));
      const wrong = all.some((path) => pathFault(path) !== undefined);
      const parts = new Set(
        all.flatMap((path) => path.split("/").map((_, i, p) => p.slice(0, i + 1).join("/"))),
      );
      const collisions = new Set([...parts].map(folded)).size < parts.size;
      assert.equal(faults > 0, wrong || collisions, all.join(" "));
    }),
    400,
  );
});

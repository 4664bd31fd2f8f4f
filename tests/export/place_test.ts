/** The output directory: what an export may replace, and that it never destroys or fakes a bundle. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { directorySource } from "../../src/bundle/source.ts";
import type { ExportOptions } from "../../src/export/export.ts";
import { namesOf, noteNames } from "../../src/export/leftovers.ts";
import { Place } from "../../src/export/place.ts";
import { type MadeBundle, makeBundle, withDirectory, writeFiles } from "../bundle/fixture.ts";
import { outcomeOf } from "../verify/outcome.ts";
import { key, refusal, run, snapshot } from "./run.ts";

async function inDirectory(body: (out: string, input: string) => Promise<void>): Promise<void> {
  await withDirectory(async (root) => {
    writeFiles(root, { "in/a.txt": "first", "in/b/c.txt": "second" });
    await body(join(root, "out"), join(root, "in"));
  });
}

async function assertSound(out: string): Promise<void> {
  const { code, findings } = await outcomeOf(directorySource(out), [key.trusted]);
  assert.deepEqual([code, findings], [0, []]);
}

const forms: Partial<ExportOptions>[] = [
  {},
  { compression: "none" },
  { volumeSize: 8 << 20 },
  { layout: "directory" },
  { programs: [{ name: "stella", path: "/bin/true" }] },
];

Deno.test("an earlier bundle of any form is replaced by one of any other, and nothing of it stays", async () => {
  for (const before of forms) {
    for (const after of forms) {
      await inDirectory(async (out, input) => {
        await run(out, input, after);
        const clean = snapshot(out);
        rmSync(out, { recursive: true });
        await run(out, input, before);
        writeFiles(out, { "holiday.jpg": "mine", "other/payload": "mine" });
        await run(out, input, after);
        await assertSound(out);
        const { "holiday.jpg": photo, "other/": _, "other/payload": file, ...rest } = snapshot(out);
        assert.deepEqual(rest, clean);
        assert.ok(
          photo?.endsWith("mine") && file?.endsWith("mine"),
          "other files are not our business",
        );
      });
    }
  }
});

Deno.test("files that the new payload lacks go with the old one", async () => {
  await inDirectory(async (out, input) => {
    await run(out, input, { layout: "directory" });
    rmSync(join(input, "a.txt"));
    await run(out, input, { layout: "directory" });
    await assertSound(out);
    assert.deepEqual(readdirSync(join(out, "payload")), ["b"]);
  });
});

type Row = [string, (out: string) => void, Partial<ExportOptions>, RegExp];
const put = (name: string, content = "mine") => (out: string) =>
  writeFileSync(join(out, name), content);
const inTheWay: Row[] = [
  ["a foreign manifest", put(manifestName, "{}"), {}, /"manifest.json" is in the way/],
  [
    "an old manifest that is foreign",
    put("manifest.json.old"),
    {},
    /"manifest.json.old" is in the way/,
  ],
  [
    "a bundle of another profile",
    (out) => writeFiles(out, makeBundle().files),
    { profile: "q" },
    /"manifest.json"/,
  ],
  [
    "a bundle of another tenant",
    (out) => writeFiles(out, makeBundle().files),
    { tenant: "u" },
    /"manifest.json"/,
  ],
  [
    "a manifest that is a link",
    (out) => symlinkSync("/etc/hostname", join(out, manifestName)),
    {},
    /"manifest.json"/,
  ],
  [
    "a manifest that is a directory",
    (out) => mkdirSync(join(out, manifestName)),
    {},
    /"manifest.json"/,
  ],
  ["an attestation without a manifest", put(attestationName), {}, /"manifest.json.sigstore.json"/],
  ["an index", put("SHA256SUMS"), {}, /"SHA256SUMS" is in the way/],
  ["an index that is a directory", (out) => mkdirSync(join(out, "SHA256SUMS")), {}, /"SHA256SUMS"/],
  ["a dangling link", (out) => symlinkSync("/nowhere", join(out, "verify.sh")), {}, /"verify.sh"/],
  ["an archive", put("p.tar.zst"), {}, /"p.tar.zst" is in the way/],
  ["a volume", put("p.tar.zst.002"), { volumeSize: 8 << 20 }, /"p.tar.zst.002" is in the way/],
  ["a late volume", put("p.tar.zst.999"), { volumeSize: 8 << 20 }, /"p.tar.zst.999" is in the way/],
  [
    "a payload",
    (out) => mkdirSync(join(out, "payload")),
    { layout: "directory" },
    /"payload" is in the way/,
  ],
  ["a payload that is a file", put("payload"), { layout: "directory" }, /"payload" is in the way/],
  [
    "a program",
    put("stella"),
    { programs: [{ name: "stella", path: "/bin/true" }] },
    /"stella" is in the way/,
  ],
  [
    "two at once",
    (out) => writeFiles(out, { "verify.sh": "", "VERIFY.txt": "" }),
    {},
    /"(verify.sh|VERIFY.txt)", "/,
  ],
];

Deno.test("what else is in the way is refused before any work is done, and left alone", async () => {
  for (const [about, prepare, options, reason] of inTheWay) {
    await inDirectory(async (out, input) => {
      mkdirSync(out);
      prepare(out);
      const before = readdirSync(out);
      const progress = (stage: string) => assert.equal(stage, "plan", about);
      const { code, message, error } = await refusal(() =>
        run(out, input, { ...options, progress })
      );
      assert.equal(code, 2, about);
      assert.match(message, reason, about);
      assert.match(error.hint!, /--force/);
      assert.deepEqual(readdirSync(out), before, about);
    });
  }
});

Deno.test("--force replaces whatever is in the way", async () => {
  for (const [about, prepare, options] of inTheWay) {
    await inDirectory(async (out, input) => {
      const { programs: _, ...rest } = options;
      await run(out, input, rest);
      const clean = Object.keys(snapshot(out)).sort();
      rmSync(out, { recursive: true });
      mkdirSync(out);
      prepare(out);
      await run(out, input, { ...options, force: true });
      await assertSound(out);
      const found = Object.keys(snapshot(out)).filter((name) =>
        name !== "stella" && !/\.\d{3}$/.test(name)
      );
      assert.deepEqual(found.sort(), clean.filter((name) => !/\.\d{3}$/.test(name)), about);
    });
  }
  assert.ok(existsSync("/etc/hostname"), "a link is replaced, not what it points to");
});

Deno.test("names that this export does not need are in nobody's way", async () => {
  await inDirectory(async (out, input) => {
    writeFiles(out, {
      "p.tar": "",
      "p.tar.zst.001": "",
      "p.tar.zst.0old": "",
      "SHA256SUMS.0": "",
      "payload/x": "",
      "stella": "",
      "manifest.json.bak": "",
    });
    const before = Object.keys(snapshot(out));
    await run(out, input);
    for (const name of before) assert.ok(existsSync(join(out, name)), name);
  });
});

Deno.test("an output that cannot be a directory is refused by name", async () => {
  await inDirectory(async (out, input) => {
    writeFileSync(out, "");
    const { code, message } = await refusal(() => run(out, input));
    assert.deepEqual([code, /Cannot make the directory .*out"/.test(message)], [2, true], message);
    assert.equal((await refusal(() => run(join(out, "below"), input))).code, 2);
  });
});

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

function place(directory: string, n: number): Place {
  return new Place({ directory, profile: "p", tenant: "t", force: false, uuid: uuid(n) });
}

Deno.test("while one export runs in a directory, another is refused, also while it takes its names", async () => {
  await inDirectory(async (out, input) => {
    const first = place(out, 1);
    assert.match((await refusal(() => run(out, input))).message, /another export runs there/);
    writeFiles(first.partial, makeBundle().files);
    first.commit([manifestName, ...namesOf(makeBundle().manifest)]);
    assert.match((await refusal(() => run(out, input))).message, /another export runs there/);
    first.close();
    await run(out, input);
    await assertSound(out);
  });
});

Deno.test("a refused export leaves no folder behind", async () => {
  await inDirectory(async (out, input) => {
    const first = place(out, 1);
    await refusal(() => run(out, input));
    assert.deepEqual(readdirSync(out), [`.stella-${uuid(1)}.partial`]);
    first.close();
    assert.deepEqual(readdirSync(out), []);
  });
});

/** Commits a bundle of which `missing` was never written, so that the rename of that name fails. */
function failingCommit(out: string, made: MadeBundle, missing: string): void {
  const one = place(out, 7);
  writeFiles(one.partial, made.files);
  rmSync(join(one.partial, missing));
  try {
    assert.throws(
      () => one.commit([manifestName, ...namesOf(made.manifest)]),
      /Cannot give its name/,
    );
  } finally {
    one.close();
  }
}

Deno.test("where a rename fails, whichever, the directory is as it was", async () => {
  for (const missing of [attestationName, "SHA256SUMS", "VERIFY.txt", "p.tar"]) {
    await inDirectory(async (out, input) => {
      failingCommit(out, makeBundle(), missing);
      assert.deepEqual(readdirSync(out), [], `${missing}: nothing stood there, nothing stays`);
      for (const before of forms) {
        await run(out, input, before);
        const stood = snapshot(out);
        failingCommit(out, makeBundle(), missing);
        assert.deepEqual(snapshot(out), stood, missing);
      }
    });
  }
});

Deno.test("a killed export is cleared: before its renames, between them, and after", async () => {
  const made = makeBundle();
  const names = [manifestName, ...namesOf(made.manifest)];
  for (let moved = 0; moved <= names.length; moved++) {
    await inDirectory(async (out, input) => {
      // What a kill leaves: a folder that nobody holds, some of its files already outside.
      const partial = join(out, `.stella-${uuid(9)}.partial`);
      writeFiles(partial, made.files);
      writeFiles(partial, { lock: "", names: names.join("\n") });
      for (const name of names.slice(1).concat(manifestName).slice(0, moved)) {
        renameSync(join(partial, name), join(out, name));
      }
      assert.equal(existsSync(join(out, manifestName)), moved === names.length);
      await run(out, input);
      await assertSound(out);
      assert.deepEqual(
        readdirSync(out).sort(),
        ["SHA256SUMS", "VERIFY.txt", manifestName, attestationName, "p.tar.zst", "verify.sh"],
        `${moved} moved`,
      );
    });
  }
});

/** Leaves `out` as a kill does after `steps` renames of a commit over the bundle that stands there. */
function killedAfter(out: string, made: MadeBundle, steps: number): void {
  const partial = join(out, `.stella-${uuid(9)}.partial`);
  writeFiles(partial, made.files);
  mkdirSync(join(partial, "old"));
  noteNames(partial, [manifestName, ...namesOf(made.manifest)]);
  const moves = namesOf(made.manifest).flatMap((name): [string, string][] => {
    const move: [string, string] = [join(partial, name), join(out, name)];
    return existsSync(join(out, name))
      ? [[join(out, name), join(partial, "old", name)], move]
      : [move];
  });
  moves.unshift([join(out, manifestName), join(out, "manifest.json.old")]);
  for (const [from, to] of moves.slice(0, steps)) renameSync(from, to);
}

Deno.test("an old bundle whose replacement was killed comes back, even if the next export fails", async () => {
  for (const before of forms) {
    for (let steps = 1; steps <= 8; steps++) {
      await inDirectory(async (out, input) => {
        await run(out, input, before);
        const stood = snapshot(out);
        killedAfter(out, makeBundle(), steps);
        assert.ok(!existsSync(join(out, manifestName)));
        await refusal(() => run(out, input, { tenant: "u" }));
        assert.deepEqual(snapshot(out), stood, `after ${steps} renames`);
      });
    }
  }
});

Deno.test("what a killed export had not yet cleared of the old bundle goes with the next", async () => {
  await inDirectory(async (out, input) => {
    await run(out, input, { volumeSize: 8 << 20 });
    const old = readFileSync(join(out, manifestName));
    await run(out, input);
    writeFileSync(join(out, "manifest.json.old"), old);
    writeFileSync(join(out, "p.tar.zst.001"), "left");
    await run(out, input);
    await assertSound(out);
    assert.equal(readdirSync(out).length, 6);
  });
});

Deno.test("a manifest that claims a directory of mine does not make an export remove it", async () => {
  await inDirectory(async (out, input) => {
    const made = makeBundle({
      manifest: (m) =>
        m.files.push({ path: "thesis", role: "document", size: 1, sha256: "0".repeat(64) }),
    });
    writeFiles(out, made.files);
    writeFiles(out, { "thesis/chapter": "mine" });
    await run(out, input);
    assert.equal(readFileSync(join(out, "thesis/chapter"), "utf8"), "mine");
  });
});

Deno.test("a folder that somebody planted on the stick reaches nothing outside, and no directory", async () => {
  await withDirectory(async (root) => {
    writeFiles(root, { "in/a": "1", "home/file": "mine", "out/photos/1.jpg": "mine" });
    const out = join(root, "out");
    const names = ["../home/file", "../home", "/etc/hostname", "photos", "..", "", "manifest.json"];
    writeFiles(join(out, `.stella-${uuid(1)}.partial`), { names: names.join("\n") });
    symlinkSync(join(root, "home"), join(out, `.stella-${uuid(1)}.partial/old`));
    symlinkSync(join(root, "home"), join(out, `.stella-${uuid(2)}.partial`));
    mkdirSync(join(out, `.stella-${uuid(3)}.partial`));
    symlinkSync(join(root, "home/made"), join(out, `.stella-${uuid(3)}.partial/lock`));
    await run(out, join(root, "in"));
    await assertSound(out);
    assert.deepEqual(readdirSync(join(root, "home")), ["file"]);
    assert.equal(readFileSync(join(out, "photos/1.jpg"), "utf8"), "mine");
    assert.deepEqual(readdirSync(out).filter((name) => name.startsWith(".stella")), [
      `.stella-${uuid(2)}.partial`,
    ]);
  });
});

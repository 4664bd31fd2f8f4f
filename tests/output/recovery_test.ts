/**
 * Exports that run concurrently, fail in a rename or are killed there: no bundle is destroyed, and
 * no incomplete one looks finished.
 */
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
import { bundleFileNames, writeCommitRecord } from "../../src/output/recovery.ts";
import { OutputTransaction } from "../../src/output/output_transaction.ts";
import {
  type MadeBundle,
  makeBundle,
  withDirectory,
  writeFiles,
} from "../support/bundle_fixture.ts";
import { outcomeOf } from "../support/outcome.ts";
import { assertSound, forms, inDirectory, refusal, run, snapshot } from "../support/run_export.ts";

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

function place(directory: string, n: number): OutputTransaction {
  return new OutputTransaction({
    directory,
    profile: "p",
    tenant: "t",
    force: false,
    uuid: uuid(n),
  });
}

Deno.test("a second export into a directory is refused while the first one runs, renames included", async () => {
  await inDirectory(async (out, input) => {
    const first = place(out, 1);
    assert.match(
      (await refusal(() => run(out, input))).message,
      /another export or pull is running there/,
    );
    writeFiles(first.partial, makeBundle().files);
    first.commit([manifestName, ...bundleFileNames(makeBundle().manifest)]);
    assert.match(
      (await refusal(() => run(out, input))).message,
      /another export or pull is running there/,
    );
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
      () => one.commit([manifestName, ...bundleFileNames(made.manifest)]),
      /Cannot give its name/,
    );
  } finally {
    one.close();
  }
}

Deno.test("if any rename fails, the directory is as before", async () => {
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

Deno.test("a killed export is cleaned up, whether before, between or after its renames", async () => {
  const made = makeBundle();
  const names = [manifestName, ...bundleFileNames(made.manifest)];
  for (let moved = 0; moved <= names.length; moved++) {
    await inDirectory(async (out, input) => {
      // The remains of a kill: an unlocked directory, some of its files already moved out.
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

/** Leaves `out` as a kill does after `steps` renames of a commit over the existing bundle. */
function killedAfter(out: string, made: MadeBundle, steps: number): void {
  const partial = join(out, `.stella-${uuid(9)}.partial`);
  writeFiles(partial, made.files);
  mkdirSync(join(partial, "old"));
  writeCommitRecord(partial, [manifestName, ...bundleFileNames(made.manifest)]);
  const moves = bundleFileNames(made.manifest).flatMap((name): [string, string][] => {
    const move: [string, string] = [join(partial, name), join(out, name)];
    return existsSync(join(out, name))
      ? [[join(out, name), join(partial, "old", name)], move]
      : [move];
  });
  moves.unshift([join(out, manifestName), join(out, "manifest.json.old")]);
  for (const [from, to] of moves.slice(0, steps)) renameSync(from, to);
}

Deno.test("an old bundle whose replacement was killed is restored, even if the next export fails", async () => {
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

Deno.test("an export killed during its cleanup keeps its bundle, even if the next export fails", async () => {
  await inDirectory(async (out, input) => {
    const made = makeBundle();
    writeFiles(out, made.files);
    const partial = join(out, `.stella-${uuid(9)}.partial`);
    mkdirSync(partial);
    writeCommitRecord(partial, [manifestName, ...bundleFileNames(made.manifest)]);
    await refusal(() => run(out, input, { tenant: "u" }));
    const { code } = await outcomeOf(directorySource(out), [made.key.trusted]);
    assert.equal(code, 0);
  });
});

Deno.test("the manifest of an incomplete old bundle is not restored", async () => {
  await inDirectory(async (out, input) => {
    await run(out, input);
    renameSync(join(out, manifestName), join(out, "manifest.json.old"));
    rmSync(join(out, "SHA256SUMS"));
    const partial = join(out, `.stella-${uuid(9)}.partial`);
    mkdirSync(partial);
    writeCommitRecord(partial, []);
    await refusal(() => run(out, input, { tenant: "u" }));
    assert.ok(!existsSync(join(out, manifestName)));
    await run(out, input);
    await assertSound(out);
  });
});

Deno.test("remains of an old bundle after a killed export are removed by the next export", async () => {
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

Deno.test("a planted directory on the stick cannot reach files outside", async () => {
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

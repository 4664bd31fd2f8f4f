/** The output directory: what an export may replace, and what it leaves alone. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { makeBundle, writeFiles } from "../support/bundle_fixture.ts";
import {
  assertSound,
  type Changes,
  forms,
  inDirectory,
  onProgress,
  refusal,
  run,
  snapshot,
} from "../support/run_export.ts";

Deno.test("a bundle of any form replaces one of any other form completely", async () => {
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

Deno.test("files that the new payload lacks are removed with the old bundle", async () => {
  await inDirectory(async (out, input) => {
    await run(out, input, { layout: "directory" });
    rmSync(join(input, "a.txt"));
    await run(out, input, { layout: "directory" });
    await assertSound(out);
    assert.deepEqual(readdirSync(join(out, "payload")), ["b"]);
  });
});

type Row = [string, (out: string) => void, Changes, RegExp];
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

Deno.test("other existing files are refused before any work and left alone", async () => {
  for (const [about, prepare, options, reason] of inTheWay) {
    await inDirectory(async (out, input) => {
      mkdirSync(out);
      prepare(out);
      const before = readdirSync(out);
      const reported = onProgress((stage) => assert.equal(stage, "plan", about));
      const { code, message, error } = await refusal(() =>
        run(out, input, { ...options, ...reported })
      );
      assert.equal(code, 14, about);
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

Deno.test("existing names that this export does not use are left alone", async () => {
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
    assert.deepEqual([code, /Cannot make the directory .*out"/.test(message)], [14, true], message);
    assert.equal((await refusal(() => run(join(out, "below"), input))).code, 12);
  });
});

Deno.test("an export does not remove a user's directory that an old manifest lists", async () => {
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

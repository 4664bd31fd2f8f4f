import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { buildScript } from "../../src/build/script.ts";
import { readStamp, stampLine } from "../../src/build/stamp.ts";
import { requiring } from "../support/needs.ts";
import { fixturePlace } from "./place.ts";

Deno.test("the script is one stamped file that includes dynamic imports and runs from any directory", async () => {
  await using place = await fixturePlace();
  const { path, stamp } = await buildScript(place.root, `${place.root}/dist`);
  assert.deepEqual(readdirSync(`${place.root}/dist`), ["stella.js"]);
  assert.equal(readFileSync(path, "utf8").split("\n")[0] + "\n", stampLine(stamp));
  const moved = `${place.root}/alone/program.js`;
  mkdirSync(`${place.root}/alone`);
  writeFileSync(moved, readFileSync(path));
  const run = spawnSync(Deno.execPath(), ["run", "--no-config", moved, "version"]);
  assert.equal(run.stdout.toString(), '"stella 0.1.0"\n', run.stderr.toString());
});

Deno.test("the script has the same bytes and time in every directory and build", async () => {
  await using one = await fixturePlace();
  await using other = await fixturePlace();
  const built = [
    await buildScript(one.root, `${one.root}/dist`),
    await buildScript(one.root, `${one.root}/again`),
    await buildScript(other.root, `${other.root}/dist`),
  ];
  const [first, ...rest] = built.map((
    { path },
  ) => [readFileSync(path, "hex"), statSync(path).mtimeMs]);
  for (const found of rest) assert.deepEqual(found, first);
});

Deno.test("a source that cannot be bundled fails the build with its name and leaves no file", async () => {
  await using place = await fixturePlace();
  writeFileSync(`${place.root}/late.ts`, 'import "./nowhere.ts";');
  await assert.rejects(
    buildScript(place.root, `${place.root}/dist`),
    /bundle main.ts: .*nowhere.ts/s,
  );
  assert.deepEqual(readdirSync(`${place.root}/dist`), []);
});

Deno.test("outside a Git checkout the commit is unknown and the time is not the current time", async () => {
  await using place = await fixturePlace();
  const unknown = { commit: "unknown", date: "1980-01-01T00:00:00Z", modified: false };
  assert.deepEqual(await readStamp(place.root), unknown);
});

Deno.test(requiring(
  ["git"],
  "the stamp has the commit and its time, and whether files were modified",
  async () => {
    await using place = await fixturePlace();
    const identity = { NAME: "t", EMAIL: "t@example.org", DATE: "1767225600 +0100" };
    const author = Object.entries(identity).flatMap(([key, value]) =>
      ["AUTHOR", "COMMITTER"].map((who) => [`GIT_${who}_${key}`, value])
    );
    const git = (...args: string[]) => {
      const env = { PATH: "/usr/bin:/bin", HOME: place.root, ...Object.fromEntries(author) };
      const { status, stdout, stderr } = spawnSync("git", ["-C", place.root, ...args], { env });
      assert.equal(status, 0, stderr.toString());
      return stdout.toString().trim();
    };
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "--message", "first");
    const commit = git("rev-parse", "HEAD");
    const stamp = { commit, date: "2026-01-01T00:00:00Z" };
    assert.deepEqual(await readStamp(place.root), { ...stamp, modified: false });
    assert.equal(
      stampLine({ ...stamp, modified: false }),
      `globalThis.STELLA_BUILD={"commit":"${commit}","date":"2026-01-01T00:00:00Z"};\n`,
    );
    writeFileSync(`${place.root}/new.ts`, "");
    assert.equal((await readStamp(place.root)).modified, true);
  },
));

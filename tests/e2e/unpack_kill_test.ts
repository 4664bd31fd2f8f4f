/**
 * An unpack is killed at every system call that changes names or syncs. No file ever has its name
 * without all of its content, an interrupted unpack does not look finished, and the next one
 * reports it or succeeds.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFiles } from "../support/bundle_fixture.ts";
import { snapshot } from "../support/run_export.ts";
import { tool } from "../support/needs.ts";
import { type Home, programWords } from "../support/program.ts";
import { binaryTest } from "./binary_place.ts";

/** The system calls, with the least number of kills during one unpack of `content`. */
const classes: [calls: string, least: number][] = [
  ["rename,renameat,renameat2", 3],
  ["mkdir,mkdirat", 5],
  // strace counts the calls of each thread by itself, and syncs are made by several threads.
  ["fsync,fdatasync", 2],
  ["unlink,unlinkat,rmdir", 3],
];
/** So many runs in which no thread made that many calls: there are no more of them. */
const enoughMisses = 3;
const content = { "in/a": "one", "in/b/c": "two", "in/b/d/e": "three", "in/z": "four" };

function unpackTo(out: string): string[] {
  return ["export", "bundle", "unpack", "--manifest", "bundle", "--to", out];
}

async function killed(home: Home, out: string, calls: string, n: number): Promise<boolean> {
  const log = join(home.path, `${out}.log`);
  const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:signal=KILL:when=${n}`];
  await new Deno.Command(tool("strace")!, {
    args: ["-f", "-q", "-o", log, ...inject, ...programWords(), ...unpackTo(out)],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdout: "null",
    stderr: "null",
  }).output();
  return readFileSync(log, "utf8").includes("killed by SIGKILL");
}

/** The files in `out`, and the result of another unpack there. */
async function inspect(home: Home, out: string, whole: Record<string, string>): Promise<void> {
  const full = join(home.path, out);
  const found = existsSync(full) ? snapshot(full) : {};
  const isPartial = (path: string) => /^\.stella-[^/]*\.partial\//.test(path);
  const named = Object.entries(found).filter(([path]) => !isPartial(path));
  for (const [path, bytes] of named) assert.equal(bytes, whole[path], `${path} is whole`);
  const isWhole = named.length === Object.keys(whole).length;
  assert.ok(isWhole || named.length === 0 || Object.keys(found).some(isPartial), "looks finished");
  const again = await home.json(unpackTo(out));
  if (named.length === 0) {
    assert.deepEqual([again.exit, snapshot(full)], [0, whole]);
  } else if (Object.keys(found).some(isPartial)) {
    assert.match(again.error.hint, /an interrupted unpack left there/);
  } else assert.match(again.error.message, /the directory holds/);
}

for (const [calls, least] of classes) {
  Deno.test(binaryTest(
    ["strace"],
    `an unpack killed at any ${calls} leaves no partial file under its final name`,
    async ({ home }) => {
      writeFiles(home.path, content);
      const manifest = ["--manifest", "bundle/manifest.json"];
      await home.succeed(["export", "bundle", "--profile", "p", "--input", "in", ...manifest]);
      await home.succeed(unpackTo("right"));
      const whole = snapshot(join(home.path, "right"));
      assert.equal(Object.keys(whole).length, 6);
      let kills = 0;
      for (let n = 1, misses = 0; n < 100 && misses < enoughMisses; n++) {
        if (await killed(home, `out${n}`, calls, n)) kills++;
        else misses++;
        await inspect(home, `out${n}`, whole).catch((error) => {
          throw new Error(`killed at ${calls} ${n}: ${error.message}`, { cause: error });
        });
        rmSync(join(home.path, `out${n}`), { recursive: true, force: true });
      }
      assert.ok(kills >= least, `${kills} kills`);
    },
  ));
}

/**
 * An export over an existing bundle is killed at every system call that writes. The directory then
 * has the old bundle, the new one, or none that looks finished, and the next export is
 * byte-identical to an undisturbed one.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readPublicKey } from "../../src/attest/check/trust.ts";
import { manifestName } from "../../src/bundle/manifest.ts";
import { directorySource } from "../../src/bundle/source.ts";
import { writeFiles } from "../support/bundle_fixture.ts";
import { snapshot } from "../support/run_export.ts";
import { tool } from "../support/needs.ts";
import { type Home, programWords } from "../support/program.ts";
import { outcomeOf } from "../support/outcome.ts";
import { binaryTest } from "./binary_place.ts";

/**
 * The system calls, with the least number that one export makes: a sweep with fewer kills fails.
 */
const classes: [calls: string, least: number][] = [
  ["write,pwrite64,writev,copy_file_range", 5],
  ["fsync,fdatasync", 10],
  ["rename,renameat,renameat2", 8],
  ["unlink,unlinkat,rmdir", 4],
  ["mkdir,mkdirat", 1],
  ["chmod,fchmod,fchmodat", 4],
];

interface Stage {
  home: Home;
  key: ReturnType<typeof readPublicKey>;
  old: string;
  fresh: string;
  clean: Record<string, string>;
}

function exportTo(out: string, ...more: string[]): string[] {
  const manifest = join(out, manifestName);
  return ["export", "bundle", "--profile", "p", "--manifest", manifest, "--quiet", ...more];
}

async function stage(home: Home): Promise<Stage> {
  writeFiles(home.path, { "before/a": "old", "before/z/y": "old", "in/a": "new", "in/b/c": "new" });
  const digest = async (out: string, ...more: string[]) => {
    const { bundle } = await home.json(exportTo(out, ...more), { cwd: home.path });
    return bundle.bundleDigest as string;
  };
  const old = await digest("old", "--input", "before", "--layout", "directory");
  const fresh = await digest("fresh", "--input", "in");
  const key = readPublicKey(join(home.state, "keys/signing.pub"));
  return { home, key, old, fresh, clean: snapshot(join(home.path, "fresh")) };
}

/**
 * Exports over the old bundle and kills the export at the n-th of the calls. @returns whether it
 * was killed
 */
async function killed({ home }: Stage, out: string, calls: string, n: number): Promise<boolean> {
  cpSync(join(home.path, "old"), join(home.path, out), { recursive: true });
  const log = join(home.path, `${out}.log`);
  const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:signal=KILL:when=${n}`];
  await new Deno.Command(tool("strace")!, {
    args: ["-f", "-q", "-o", log, ...inject, ...programWords(), ...exportTo(out, "--input", "in")],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdout: "null",
    stderr: "null",
  }).output();
  return readFileSync(log, "utf8").includes("killed by SIGKILL");
}

async function inspect({ home, key, old, fresh, clean }: Stage, out: string): Promise<string> {
  const full = join(home.path, out);
  const { code, verdict } = await outcomeOf(directorySource(full), [key]);
  const stood = code === 0 ? verdict!.bundle!.bundleDigest : "none";
  assert.ok([old, fresh, "none"].includes(stood));
  assert.equal(
    existsSync(join(full, manifestName)),
    stood !== "none",
    "a bundle that looks finished",
  );
  await home.succeed(exportTo(out, "--input", "in"));
  assert.deepEqual(snapshot(full), clean, "the next export is as ever, and nothing is left over");
  return stood === old ? "old" : stood === fresh ? "new" : "none";
}

for (const [calls, least] of classes) {
  Deno.test(
    binaryTest(
      ["strace"],
      `after a kill at any ${calls}, the next export is byte-identical to an undisturbed one`,
      async ({ home }) => {
        const set = await stage(home);
        const stood: string[] = [];
        for (let n = 1; n < 200; n += 2) {
          // Two at a time: this machine may have two cores.
          const pair = await Promise.all([n, n + 1].map(async (at) => {
            const out = `out${at}`;
            if (!await killed(set, out, calls, at)) return undefined;
            const what = await inspect(set, out).catch((error) => {
              throw new Error(`killed at ${calls} ${at}: ${error.message}`, { cause: error });
            });
            rmSync(join(home.path, out), { recursive: true });
            return what;
          }));
          stood.push(...pair.filter((what) => what !== undefined));
          if (pair.includes(undefined)) break;
        }
        assert.ok(stood.length >= least, `${stood.length} kills`);
      },
    ),
  );
}

/**
 * Exports that are killed at a system call, or whose system calls fail: the state of the output
 * directory afterwards, and after the next export.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestName } from "../../src/bundle/manifest.ts";
import { directorySource } from "../../src/bundle/source.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";
import { requiring } from "../support/needs.ts";
import { outcomeOf } from "../support/outcome.ts";
import { key, run, snapshot } from "../support/run_export.ts";

interface Ended {
  code: number;
  signal: string | null;
  /** Whether the fault happened: strace marks the call that it tampered with. */
  injected: boolean;
}

/**
 * The command line of an export of `in` into `out` below `root`. Deno writes nothing of its own
 * once the modules are in its cache: its calls would be counted too.
 */
function exporting(root: string, out: string): [string, ...string[]] {
  const child = fileURLToPath(new URL("kill_child.ts", import.meta.url));
  const flags = ["--quiet", "--no-check", "--no-code-cache", "-A"];
  return [Deno.execPath(), "run", ...flags, child, join(root, "in"), join(root, out)];
}

/**
 * An export of `in` into `out` below `root`, with `fault` at the n-th of the system calls `calls`.
 */
async function exportUnder(
  root: string,
  out: string,
  calls: string,
  fault: string,
  n: number,
  only: readonly string[] = [],
): Promise<Ended> {
  const paths = only.flatMap((name) => ["-P", join(root, out, name)]);
  const log = join(root, `${out}.log`);
  const inject = `inject=${calls}:${fault}:when=${n}`;
  const program = exporting(root, out);
  const { code, signal } = await new Deno.Command("strace", {
    args: ["-f", "-q", "-o", log, ...paths, "-e", `trace=${calls}`, "-e", inject, ...program],
    stdout: "null",
    stderr: "null",
  }).output();
  const text = readFileSync(log, "utf8");
  return {
    code,
    signal,
    injected: text.includes("INJECTED") || text.includes("killed by SIGKILL"),
  };
}

async function verified(out: string): Promise<string | undefined> {
  const { code, verdict } = await outcomeOf(directorySource(out), [key.trusted]);
  return code === 0 ? verdict!.bundle!.bundleDigest : undefined;
}

interface Stage {
  root: string;
  /** The old bundle, of another form and content, and the expected new one. */
  old: string;
  fresh: string;
  clean: Record<string, string>;
}

async function stage(root: string): Promise<Stage> {
  writeFiles(root, { "before/a": "old", "before/z/y": "old", "in/a": "new", "in/b/c": "new" });
  const old =
    (await run(join(root, "old"), join(root, "before"), { layout: "directory" })).bundleDigest;
  // Run by the program that is killed later, so that its modules are in the cache.
  const [program, ...args] = exporting(root, "fresh");
  assert.ok((await new Deno.Command(program, { args }).output()).success);
  const fresh = (await verified(join(root, "fresh")))!;
  return { root, old, fresh, clean: snapshot(join(root, "fresh")) };
}

/**
 * Kills or fails at call 1, 2, ... until an export comes through; `inspect` sees the directory after
 * each.
 */
async function sweep(
  stage: Stage,
  calls: string,
  fault: string,
  inspect: (out: string, ended: Ended, n: number) => Promise<void>,
  only: readonly string[] = [],
): Promise<number> {
  for (let n = 1; n < 60; n += 2) {
    // Two at a time: this machine may have two cores.
    const done = await Promise.all([n, n + 1].map(async (at) => {
      const out = `out${at}`;
      cpSync(join(stage.root, "old"), join(stage.root, out), { recursive: true });
      const ended = await exportUnder(stage.root, out, calls, fault, at, only);
      if (ended.injected) await inspect(join(stage.root, out), ended, at);
      else assert.equal(ended.code, 0, `call ${at} is behind the last`);
      rmSync(join(stage.root, out), { recursive: true });
      return ended.injected;
    }));
    if (done.includes(false)) return n - 1 + done.filter(Boolean).length;
  }
  throw new Error("it never came through");
}

Deno.test(requiring(
  ["strace"],
  "an export killed at any rename never looks finished, and the next one gives the same bundle",
  async () => {
    await withDirectory(async (root) => {
      const set = await stage(root);
      const kills = await sweep(set, "rename", "signal=KILL", async (out, _, n) => {
        const stands = existsSync(join(out, manifestName)) ? await verified(out) : "none";
        assert.ok(["none", set.old, set.fresh].includes(stands!), `kill ${n}: ${stands}`);
        const { bundleDigest } = await run(out, join(root, "in"));
        assert.equal(bundleDigest, set.fresh, `kill ${n}`);
        assert.deepEqual(snapshot(out), set.clean, `kill ${n}: nothing is left over`);
      });
      assert.ok(kills >= 10, `${kills} kills`);
    });
  },
));

Deno.test(requiring(
  ["strace"],
  "if any sync fails, the export fails with code 12 and keeps the old bundle",
  async () => {
    await withDirectory(async (root) => {
      const set = await stage(root);
      const stood = snapshot(join(root, "old"));
      const faults = await sweep(set, "fsync", "error=EIO", async (out, { code }, n) => {
        assert.equal(code, 12, `sync ${n}`);
        const digest = await verified(out);
        // Once the new manifest has its name, only cleanup remains: the new bundle stays.
        assert.ok(digest === set.old || digest === set.fresh, `sync ${n}: ${digest}`);
        if (digest === set.old) assert.deepEqual(snapshot(out), stood, `sync ${n}`);
      });
      assert.ok(faults >= 10, `${faults} faults`);
    });
  },
));

/**
 * The child's first export has this name; only writes to its files count, not those of Deno itself.
 */
const partial = ".stella-00000000-0000-7000-8000-000000000001.partial";
const written = [
  ...["manifest.json", "manifest.json.sigstore.json", "SHA256SUMS", "p.tar.zst"],
  ...["VERIFY.txt", "verify.sh"],
].map((name) => `${partial}/${name}`);

for (const errno of ["ENOSPC", "EIO"]) {
  Deno.test(requiring(
    ["strace"],
    `if any write fails with ${errno}, the export fails with code 12 and keeps only the old bundle`,
    async () => {
      await withDirectory(async (root) => {
        const set = await stage(root);
        const stood = snapshot(join(root, "old"));
        const inspect = (out: string, { code }: Ended, n: number) => {
          assert.equal(code, 12, `write ${n}`);
          assert.deepEqual(snapshot(out), stood, `write ${n}`);
          return Promise.resolve();
        };
        const faults = await sweep(set, "write,pwrite64", `error=${errno}`, inspect, written);
        assert.equal(faults, written.length, "each file is written by one call");
      });
    },
  ));
}

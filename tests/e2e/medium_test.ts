/** Failing and full media: code 12, no finding about content, no partial files. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot, requiring, tool } from "../support/needs.ts";
import { type Home, programWords, type Service, withHome } from "../support/program.ts";

const forms: Record<string, string[]> = {
  zstd: [],
  plain: ["--compression", "none"],
  directory: ["--layout", "directory"],
};

function noise(path: string, bytes: number): void {
  const cipher = createCipheriv("aes-128-ctr", new Uint8Array(16), new Uint8Array(16));
  writeFileSync(path, cipher.update(new Uint8Array(bytes)));
}

/**
 * Verifies while the n-th read of one file fails. @returns exit code and what was printed;
 * undefined: there are fewer reads
 */
async function verifyFailing(home: Home, file: string, n: number) {
  const log = join(home.path, "log");
  const inject = ["-e", "trace=read,pread64", "-e", `inject=read,pread64:error=EIO:when=${n}`];
  const { code, stdout } = await new Deno.Command(tool("strace")!, {
    args: [
      ...["-f", "-q", "-o", log, "-P", file, ...inject],
      ...[...programWords(), "verify", join(home.path, "out"), "--json"],
    ],
    env: home.environment(),
    clearEnv: true,
    stderr: "null",
  }).output();
  if (!readFileSync(log, "utf8").includes("INJECTED")) return undefined;
  return { code, printed: new TextDecoder().decode(stdout) };
}

for (const [form, options] of Object.entries(forms)) {
  Deno.test(requiring(
    ["strace"],
    `verify ends with code 12 and no finding if a read of the medium fails: ${form}`,
    () =>
      withHome(async (home) => {
        mkdirSync(join(home.path, "in/d"), { recursive: true });
        noise(join(home.path, "in/d/large"), 9 << 20);
        writeFileSync(join(home.path, "in/small"), "small");
        const args = ["export", "bundle", "--profile", "p", "--input", "in", ...options];
        const { files } = await home.json([...args, "--manifest", "out/manifest.json"]);
        const inside = ["payload/d/large", "payload/small"];
        const names = (files as string[]).flatMap((name) => name === "payload" ? inside : [name]);
        for (const name of names) {
          const file = join(home.path, "out", name);
          let faults = 0;
          for (let n = 1; n < 50; n = n < 3 ? n + 1 : n * 2) {
            const failed = await verifyFailing(home, file, n);
            if (failed === undefined) break;
            faults++;
            const result = JSON.parse(failed.printed);
            assert.deepEqual([failed.code, result.code], [12, 12], `${name}, read ${n}`);
            assert.doesNotMatch(
              failed.printed,
              /digest_mismatch|tamper|"verified"/,
              `${name}, ${n}`,
            );
          }
          assert.ok(faults > 0, `${name} was never read`);
        }
      }),
  ));
}

Deno.test(requiring(
  ["strace"],
  "unpack ends with code 12 and publishes no file if a sync fails",
  () =>
    withHome(async (home) => {
      mkdirSync(join(home.path, "in"));
      for (let i = 0; i < 100; i++) writeFileSync(join(home.path, `in/${i}`), `${i}`);
      const words = ["export", "bundle", "--profile", "p", "--input", "in"];
      await home.succeed([...words, "--manifest", "out/manifest.json"]);
      const calls = "fsync,fdatasync";
      for (const n of [1, 2]) {
        const { code, stdout } = await new Deno.Command(tool("strace")!, {
          args: [
            ...["-f", "-q", "-o", join(home.path, "log"), "-e", `trace=${calls}`],
            ...["-e", `inject=${calls}:error=EIO:when=${n}`, ...programWords()],
            ...["export", "bundle", "unpack", "--manifest", "out", "--to", "to", "--json"],
          ],
          cwd: home.path,
          env: home.environment(),
          clearEnv: true,
          stderr: "null",
        }).output();
        const { code: reported, error } = JSON.parse(new TextDecoder().decode(stdout));
        assert.deepEqual([code, reported], [12, 12], error.message);
        assert.match(error.message, /Cannot sync "/);
        assert.equal(existsSync(join(home.path, "to")), false);
      }
    }),
));

/** A tmpfs of so many KiB at `place`; its size can be changed. */
function mount(place: string, kibibytes: number, remount = false): void {
  const options = `${remount ? "remount," : ""}size=${kibibytes}k`;
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "none", place]);
  assert.equal(status, 0, stderr.toString());
}

/** As Deno.test, for root alone: it mounts. */
function mounting(name: string, body: (home: Home, disk: string) => Promise<void>): void {
  const needs = { tools: ["mount", "umount"], others: isRoot };
  Deno.test(requiring(needs, name, () =>
    withHome(async (home) => {
      const disk = join(home.path, "disk");
      mkdirSync(disk);
      mount(disk, 1024);
      try {
        await body(home, disk);
      } finally {
        spawnSync("umount", [disk]);
      }
    })));
}

for (const [form, options] of Object.entries(forms)) {
  mounting(`a medium of 0.5 to 1.2 times the need, in steps: ${form}`, async (home, disk) => {
    mkdirSync(join(home.path, "in"));
    for (let i = 0; i < 8; i++) noise(join(home.path, `in/f${i}`), 256 * 1024);
    const args = ["export", "bundle", "--profile", "p", "--input", "in", ...options];
    const to = (manifest: string) => [...args, "--manifest", manifest];
    const { bundle } = await home.json(to("free/manifest.json"));
    const used = spawnSync("du", ["-sk", join(home.path, "free")]).stdout.toString();
    const need = parseInt(used, 10);
    let [full, fitted] = [0, 0];
    for (let percent = 50; percent <= 120; percent += 5) {
      mount(disk, Math.ceil(need * percent / 100), true);
      const { exit, findings, error } = await home.json(to("disk/out/manifest.json"));
      const about = `${percent} %: ${JSON.stringify(findings ?? error)}`;
      if (exit === 0) fitted++;
      else {
        full++;
        assert.equal(exit, 12, about);
        const left = readdirSync(disk).flatMap((name) => readdirSync(join(disk, name)));
        assert.deepEqual(left, [], about);
      }
      spawnSync("rm", ["-rf", join(disk, "out")]);
    }
    assert.ok(full >= 9 && fitted >= 2, `${full} full, ${fitted} fitted`);
    mount(disk, need * 2, true);
    const again = await home.json(to("disk/out/manifest.json"));
    assert.equal(again.bundle.bundleDigest, bundle.bundleDigest);
  });
}

mounting(
  "a full disk under the service fails the job; with room again the next succeeds, ten times",
  async (home, disk) => {
    mkdirSync(join(home.path, "in"));
    noise(join(home.path, "in/f"), 12 << 20);
    writeFileSync(
      join(home.path, "stella.yaml"),
      `version: 1\nprofiles: { p: { kind: files, sources: [{ files: ${home.path}/in }] } }\n`,
    );
    mount(disk, 64 * 1024, true);
    const data = { STELLA_DATA: disk, STELLA_CONFIG: join(home.path, "stella.yaml") };
    const service = await home.serve([], data);
    try {
      for (let round = 1; round <= 10; round++) {
        // Room for the database and for half of the bundle.
        noise(join(disk, "filler"), 58 << 20);
        const failed = await service.export({ profile: "p" });
        assert.equal(failed.state, "failed", `${round}: ${JSON.stringify(failed)}`);
        assert.match(JSON.stringify(failed.error), /media|ENOSPC|no space/i);
        assert.ok(await live(service));
        rmSync(join(disk, "filler"));
        const next = await service.export({ profile: "p" });
        assert.equal(next.state, "succeeded", `${round}: ${JSON.stringify(next)}`);
        const gone = await fetch(`${service.url}/v1/exports/${next.id}`, { method: "DELETE" });
        assert.ok(gone.ok, `${round}: ${gone.status} ${await gone.text()}`);
      }
    } finally {
      await service.stop();
    }
  },
);

async function live(service: Service): Promise<boolean> {
  const answer = await fetch(`${service.url}/health/liveness`);
  await answer.body?.cancel();
  return answer.ok;
}

/**
 * Unpacking as a user runs it: bounded by the sizes that the manifest declares, with accurate
 * progress.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ProgressLine } from "../../src/cli/progress.ts";
import { showSynced } from "../../src/cli/unpack.ts";
import { makeBundle, writeFiles } from "../support/bundle_fixture.ts";
import { requiring } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";
import { host as quietHost } from "../support/quiet_host.ts";

/**
 * The maximum size of a file in blocks of 512 bytes (POSIX.1-2017, ulimit -f): writes beyond 32 MiB
 * fail.
 */
const blocks = 65_536;

Deno.test(requiring(
  ["sh"],
  "a payload larger than the manifest declares is refused before it is written",
  async () => {
    const home = new Home();
    try {
      const large = new Uint8Array(2 * 512 * blocks);
      const made = makeBundle({
        compression: "zstd",
        entries: [{ path: "a", content: "x" }, { path: "b", content: large }],
        manifest: (manifest) => void (manifest.payload.bytes = 10),
      });
      writeFiles(join(home.path, "in"), made.files);
      writeFiles(home.path, { "signer.pub": made.key.publicPem });
      const words = ["--manifest", "in", "--to", "out", "--trust", "signer.pub", "--json"];
      const script = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`;
      const child = new Deno.Command("sh", {
        args: ["-c", script, "sh", ...programWords(), "export", "bundle", "unpack", ...words],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
      });
      const { stdout } = await child.output();
      const { code, findings } = JSON.parse(new TextDecoder().decode(stdout));
      assert.deepEqual([code, findings[0]?.reason], [7, "payload_differs"]);
      assert.deepEqual(readdirSync(home.path).sort(), ["in", "signer.pub"]);
    } finally {
      home.remove();
    }
  },
));

/** The remaining seconds that a progress line shows. */
function secondsIn(line: string): number | undefined {
  const found = /, (?:(\d+) min )?(\d+) s left/.exec(line);
  return found === null ? undefined : Number(found[1] ?? 0) * 60 + Number(found[2]);
}

const disks: Record<string, (bytes: number) => number> = {
  "a disk that waits for every file": (bytes) => 5 + bytes / 100_000,
  "a stick": (bytes) => 2 + bytes / 5_000,
};
const payloads: Record<string, (i: number) => number> = {
  "files of one size": () => 2_000,
  "files of many sizes": (i) => (i * 7919) % 40_000,
};

Deno.test("no remaining time is shown before it can be estimated", () => {
  let now = 0;
  let printed = "";
  const stderr = (text: string) => void (printed += text);
  const host = { ...quietHost, now: () => now, stderr, columns: () => 80 };
  const synced = showSynced(new ProgressLine(host, false), { files: 2, bytes: 30_000_002 });
  now += 200;
  synced({ path: "small", kind: "file", bytes: 2 });
  assert.match(printed, /unpack {2}0% of 28\.6 MiB/);
  assert.equal(secondsIn(printed), undefined, printed);
  now += 300;
  synced({ path: "large", kind: "file", bytes: 20_000_000 });
  assert.equal(secondsIn(printed), 0, printed);
});

for (const [disk, milliseconds] of Object.entries(disks)) {
  for (const [payload, size] of Object.entries(payloads)) {
    Deno.test(`the remaining time is accurate within a factor of two: ${disk}, ${payload}`, () => {
      let now = 0;
      const lines: { at: number; left: number }[] = [];
      const stderr = (text: string) => {
        const left = secondsIn(text);
        if (left !== undefined) lines.push({ at: now, left });
      };
      const host = { ...quietHost, now: () => now, stderr, columns: () => undefined };
      const files = Array.from({ length: 20_000 }, (_, i) => size(i));
      const bytes = files.reduce((sum, one) => sum + one, 0);
      const synced = showSynced(new ProgressLine(host, false), { files: files.length, bytes });
      for (const one of files) {
        now += milliseconds(one);
        synced({ path: "f", kind: "file", bytes: one });
      }
      assert.ok(lines.length >= 5, `${lines.length} lines`);
      for (const { at, left } of lines) {
        const real = (now - at) / 1000;
        assert.ok(left <= 2 * real + 1 && left >= real / 2 - 1, `${left} s told, ${real} s taken`);
      }
    });
  }
}

/**
 * The same inputs are the same bundle: no clock, locale, time zone, umask, user or directory order
 * leaks in.
 */
import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/bundle_fixture.ts";
import { epoch, run, snapshot } from "../support/run_export.ts";

/** Names that locales, JavaScript and bytes sort differently. */
const names = [
  "Z",
  "a",
  "a-b",
  "a.txt",
  "a/x",
  "a0",
  "b/h",
  "b/\u0131",
  "b/\u0130x",
  "c/\u00e9",
  "c/e",
  "c/f",
  "c/\u00f1",
  "c/\ufb01x",
  "c/\u{1f600}",
  "\u4e2d/\u6587",
  "_",
  "~",
  "10",
  "9",
].filter((name) => name !== "a");

function write(root: string, order: readonly string[], time: number): void {
  for (const name of order) {
    const full = join(root, name);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, `content of ${name}\n`, { mode: name === "Z" ? 0o755 : 0o644 });
    utimesSync(full, time, time);
  }
}

interface Surroundings {
  env: Record<string, string>;
  umask: number;
}

/** A whole export in a process of its own; returns nothing, the bundle is in `out`. */
function child(input: string, out: string, { env, umask }: Surroundings): void {
  const script = fileURLToPath(new URL("export_child.ts", import.meta.url));
  const { success, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", script, input, out, String(umask)],
    env,
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

const here: Surroundings = { env: { TZ: "UTC", LC_ALL: "C" }, umask: 0o022 };
const elsewhere: Surroundings = {
  env: { TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", USER: "other" },
  umask: 0o077,
};

Deno.test("two exports in different environments are byte-identical, modes included", async () => {
  await withDirectory((root) => {
    const [one, two] = [join(root, "one/in"), join(root, "far/away/in")];
    write(one, names, 1_000_000_000);
    write(two, [...names].reverse(), 1_700_000_000);
    child(one, join(root, "out1"), here);
    child(two, join(root, "elsewhere/out2"), elsewhere);
    const [first, second] = [snapshot(join(root, "out1")), snapshot(join(root, "elsewhere/out2"))];
    assert.ok(Object.keys(first).length > 15);
    assert.deepEqual(second, first);
  });
});

Deno.test("files are 0644, programs, scripts and directories 0755, whatever the umask", async () => {
  await withDirectory((root) => {
    write(join(root, "in"), names, epoch);
    child(join(root, "in"), join(root, "out"), elsewhere);
    for (const [path, content] of Object.entries(snapshot(join(root, "out")))) {
      const wide = path.endsWith("/") || path.endsWith("verify.sh");
      assert.match(content, wide ? /^755/ : /^644 /, path);
    }
  });
});

Deno.test("only content and mode of an input change the digest", async () => {
  await withDirectory(async (root) => {
    const input = join(root, "in");
    const digest = async (name: string) => (await run(join(root, name), input)).bundleDigest;
    write(input, names, epoch);
    const first = await digest("o1");
    utimesSync(join(input, "9"), 1, 1);
    mkdirSync(join(input, "empty"));
    Deno.chmodSync(join(input, "9"), 0o600);
    Deno.chmodSync(join(input, "Z"), 0o711);
    assert.equal(await digest("o2"), first, "times, empty directories and other mode bits do not");
    Deno.chmodSync(join(input, "9"), 0o744);
    const executable = await digest("o3");
    assert.notEqual(executable, first, "the executable bit does");
    Deno.chmodSync(join(input, "9"), 0o644);
    writeFileSync(join(input, "9"), "content of 8\n");
    assert.notEqual(await digest("o4"), first, "content does");
    writeFileSync(join(input, "9"), "content of 9\n");
    assert.equal(await digest("o5"), first);
  });
});

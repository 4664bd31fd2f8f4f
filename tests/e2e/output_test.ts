/**
 * Standard output and standard error that cannot be written: a failed write is never reported as
 * success.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { permissionLines } from "../support/permission_lines.ts";
import { type Home, programWords, type Ran, withHome } from "../support/program.ts";
import { quoted } from "../support/terminal.ts";
import { binaryTest, form } from "./binary_place.ts";

/** Runs `stella ARGS` in a shell, with `redirections` such as `> /dev/full`. */
async function redirected(home: Home, args: string[], redirections: string): Promise<Ran> {
  const line = [...programWords(), ...args].map(quoted).join(" ");
  const child = new Deno.Command("sh", {
    args: ["-c", `exec ${line} ${redirections}`],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdin: "null",
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs it with a reader that has closed the pipe before the first byte. */
async function unread(home: Home, args: string[]): Promise<{ code: number; stderr: string }> {
  const [command, ...words] = programWords();
  const child = new Deno.Command(command, {
    args: [...words, ...args],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const stderr = await new Response(child.stderr).text();
  return { code: (await child.status).code, stderr };
}

/** Each of `all`, two at a time. */
async function each<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const turn = async () => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await run(one);
  };
  await Promise.all([turn(), turn()]);
}

const lost = /^error: Cannot write to standard output: No space left on device \(code 12\)$/m;

Deno.test("every command that cannot write its output ends with code 12 and an error", () =>
  withHome(async (home) => {
    await each(permissionLines, async ([command, rest]) => {
      for (const options of [["--permissions"], ["--permissions", "--json"], ["--help"]]) {
        const args = [...command.split(" "), ...rest, ...options];
        const { code, stderr } = await redirected(home, args, "> /dev/full");
        assert.equal(code, 12, `${args.join(" ")}: ${stderr}`);
        assert.match(stderr, lost, args.join(" "));
        assert.deepEqual(await unread(home, args), { code: 0, stderr: "" }, args.join(" "));
      }
    });
  }));

Deno.test("a result that cannot be written is code 12, and the hint has the command's own exit code", () =>
  withHome(async (home) => {
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    const full = (args: string[]) => redirected(home, args, "> /dev/full");
    for (const more of [[], ["--json"]]) {
      const verified = await full(["verify", "out", ...more]);
      assert.equal(verified.code, 12, verified.stderr);
      assert.match(verified.stderr, lost);
      assert.match(verified.stderr, /^hint: .*the command itself ended with code 0$/m);
    }
    assert.equal((await full(["export", "bundle", "list", "--manifest", "out"])).code, 12);
    assert.equal((await full(["export", "bundle", "diff", "out", "out"])).code, 12);
    assert.equal((await full(["version"])).code, 12);
    assert.equal((await full(["--help"])).code, 12);
    const refused = await full(["verify", "nowhere", "--json"]);
    assert.equal(refused.code, 12);
    assert.match(refused.stderr, /at "nowhere": no such [^]*Cannot write to standard output/);
  }));

Deno.test("a closed pipe causes no message and keeps the verdict's exit code", () =>
  withHome(async (home) => {
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    const archive = join(home.path, "out/kit.tar.zst");
    for (const more of [[], ["--json"]]) {
      const args = (command: string) => [...command.split(" "), ...more];
      assert.deepEqual(await unread(home, args("verify out")), { code: 0, stderr: "" });
      const list = "export bundle list --manifest out";
      assert.deepEqual(await unread(home, args(list)), { code: 0, stderr: "" });
      Deno.renameSync(archive, `${archive}.away`);
      assert.deepEqual(await unread(home, args("verify out")), { code: 6, stderr: "" });
      assert.deepEqual(await unread(home, args(list)), { code: 6, stderr: "" });
      Deno.renameSync(`${archive}.away`, archive);
    }
  }));

Deno.test("an unwritable standard error neither stops a command nor changes its exit code", () =>
  withHome(async (home) => {
    for (const where of ["2> /dev/full", "2>&-"]) {
      const ran = await redirected(
        home,
        ["export", "bundle", "--profile", "kit", "--force"],
        where,
      );
      assert.equal(ran.code, 0, where);
      assert.match(ran.stdout, /^exported/);
      assert.equal(
        (await redirected(home, ["verify", "out", "--report", "r.json"], where)).code,
        0,
      );
      assert.equal((await redirected(home, ["no-such-command"], where)).code, 2);
      assert.equal((await redirected(home, ["version"], `> /dev/full ${where}`)).code, 12);
    }
  }));

Deno.test("one signal ends a command whose reader has stopped reading", () =>
  withHome(async (home) => {
    const input = join(home.path, "in");
    Deno.mkdirSync(input);
    for (let i = 0; i < 2_000; i++) writeFileSync(join(input, `${"n".repeat(100)}${i}`), "x");
    await home.succeed(["export", "bundle", "--profile", "many", "--input", input]);
    const [command, ...words] = programWords();
    const child = new Deno.Command(command, {
      args: [...words, "export", "bundle", "list", "--manifest", "out"],
      cwd: home.path,
      env: home.environment(),
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    assert.ok((await reader.read()).value);
    child.kill("SIGTERM");
    const { signal } = await child.status;
    assert.equal(signal, "SIGTERM");
    await reader.cancel();
  }));

Deno.test(binaryTest([], "a closed standard output is reported as unwritable", async ({ home }) => {
  const args = ["verify", "out", "--integrity-only"];
  const { code, stderr } = await redirected(home, args, ">&-");
  if (form === "portable") {
    assert.equal(code, 12, stderr);
    const reason = "Transport endpoint is not connected";
    assert.match(stderr, new RegExp(`Cannot write to standard output: ${reason} \\(code 12\\)`));
  } else {
    // Rust replaces a closed stream with /dev/null before denort starts, so the program cannot
    // detect it.
    assert.equal(code, 0, stderr);
  }
  assert.equal((await redirected(home, ["version"], "2>&- <&-")).code, 0);
  assert.equal((await redirected(home, ["verify", "-"], "<&-")).code, 3);
}));

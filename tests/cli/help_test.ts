/** Help as the program prints it, and the ways to request it. */
import assert from "node:assert/strict";
import { exitCodes } from "../../src/domain/errors.ts";
import { loadSubjects } from "../../src/cli/commands.ts";
import { showHelpOf } from "../../src/cli/help.ts";
import { withHome } from "../support/program.ts";

Deno.test("all commands are listed by subject, in lines of at most 80 columns", () =>
  withHome(async (home) => {
    const { stdout } = await home.succeed(["help"]);
    for (const words of [["--help"], ["-h"]]) {
      assert.equal((await home.succeed(words)).stdout, stdout, words.join(" "));
    }
    assert.deepEqual(stdout.match(/^[A-Z][^:\n]*:$/gm), [
      ...["Bundles:", "Risk data:", "Service:", "Keys and trust:", "Configuration and assets:"],
      ...["The program:", "Exit codes:"],
    ]);
    assert.match(
      stdout,
      /^ {2}verify <place> {2,}Verify the signature and the contents of a bundle$/m,
    );
    assert.ok(Math.max(...stdout.split("\n").map((line) => line.length)) <= 80);
    const none = await home.stella([]);
    assert.deepEqual([none.code, none.stdout, none.stderr], [2, "", stdout]);
  }));

Deno.test("help explains every exit code", () =>
  withHome(async (home) => {
    const { stdout } = await home.succeed(["help"]);
    const codes = stdout.split("Exit codes:\n")[1]?.match(/\b\d+(?= [a-z])/g)?.map(Number);
    assert.deepEqual(codes, [...new Set(Object.values(exitCodes))].toSorted((a, b) => a - b));
  }));

Deno.test("help shows a command under each of its names, and a group with its commands", () =>
  withHome(async (home) => {
    const by = async (...words: string[]) => (await home.succeed(words)).stdout;
    const long = await by("help", "export", "bundle", "verify");
    assert.equal(await by("export", "bundle", "verify", "--help"), long);
    assert.equal(await by("export", "help", "bundle", "verify"), long);
    assert.match(long, /^Usage: stella export bundle verify <place> \[options\]\n/);
    assert.match(long, /^Also: stella verify$/m);
    assert.match(long, /^ {2}--color <when> .*\n.*one of auto, always, never; default: auto\)$/m);
    assert.match(
      await by("verify", "-h"),
      /^Usage: stella verify <place>[^]*^Also: stella export/m,
    );
    const group = await by("help", "jobs");
    assert.deepEqual(group.match(/^ {2}jobs \w+/gm)?.length, 5);
    assert.equal(await by("jobs", "--help"), group);
    const beside = await home.stella(["jobs"]);
    assert.deepEqual([beside.code, beside.stdout, beside.stderr], [2, "", group]);
    const json = await home.json(["help", "verify"]);
    assert.deepEqual([json.command, json.commands[0].path], ["help", "export bundle verify"]);
    const gone = await home.json(["help", "moon"]);
    assert.deepEqual([gone.exit, gone.error.message], [
      16,
      'Cannot show help for "moon": no such command',
    ]);
  }));

Deno.test("--version and -V run the command version, with its options", () =>
  withHome(async (home) => {
    const { stdout } = await home.succeed(["version"]);
    assert.equal((await home.succeed(["--version"])).stdout, stdout);
    assert.equal((await home.succeed(["-V"])).stdout, stdout);
    assert.equal((await home.json(["-V"])).version, (await home.json(["version"])).version);
  }));

Deno.test("colors are used on request and only in text", () =>
  withHome(async (home) => {
    await home.succeed(["export", "bundle", "--profile", "kit"]);
    const verify = ["verify", "out"];
    const head = "\x1b[32mverified\x1b[0m  kit of ";
    const { stdout } = await home.succeed([...verify, "--color=always"]);
    assert.ok(stdout.startsWith(head), stdout);
    assert.ok((await home.succeed(verify)).stdout.startsWith("verified  kit of "));
    assert.equal((await home.json([...verify, "--color=always"])).verdict, "verified");
    const none = await home.stella(["verify", "none", "--color=always"]);
    assert.ok(none.stderr.startsWith("\x1b[31merror:\x1b[0m Cannot read a bundle"), none.stderr);
  }));

Deno.test("the help of every command has lines of at most 80 columns, examples included", async () => {
  for (const command of (await loadSubjects()).flatMap(({ commands }) => commands)) {
    const lines = showHelpOf(command, command.path).text.split("\n");
    assert.deepEqual(lines.filter((line) => line.length > 80), [], command.path);
  }
});

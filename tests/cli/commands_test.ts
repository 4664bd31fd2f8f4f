/** Compares the list of commands with the declarations and with the running program. */
import assert from "node:assert/strict";
import { entries, loadSubjects } from "../../src/cli/commands.ts";
import { Home, root } from "../support/program.ts";
import { holdToLines, permissionLines } from "../support/permission_lines.ts";

Deno.test("the list has the names of each declared command, and no name twice", async () => {
  for (const { names, load } of entries) {
    const { command } = await load();
    assert.deepEqual(names, [command.path, ...command.aliases]);
  }
  const all = entries.flatMap(({ names }) => names);
  assert.deepEqual(all, [...new Set(all)]);
});

Deno.test("in a declaration only the last argument repeats, and each example runs the command", async () => {
  for (const { path, aliases, args, examples } of (await commands())) {
    const repeats = Object.values(args).map(({ repeat }) => repeat === true);
    assert.ok(!repeats.slice(0, -1).includes(true), path);
    assert.ok(examples.length > 0, path);
    for (const example of examples) {
      assert.ok([path, ...aliases].some((name) => example.includes(`stella ${name}`)), example);
    }
  }
});

Deno.test("the list promises the permissions of each command under each of its names", async () => {
  const names = (await commands()).flatMap(({ path, aliases }) => [path, ...aliases]);
  assert.deepEqual(
    [...new Set(permissionLines.map(([name]) => name))].toSorted(),
    names.toSorted(),
  );
});

async function commands() {
  return (await loadSubjects()).flatMap((subject) => subject.commands);
}

Deno.test("from source, each command starts its work with exactly the listed permissions", async () => {
  const home = new Home();
  try {
    await holdToLines(async (args) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-P=stella", "--no-prompt", "--no-remote", `${root}main.ts`, ...args],
        cwd: root,
        env: home.environment(),
        clearEnv: true,
      });
      const { code, stdout, stderr } = await child.output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    });
  } finally {
    home.remove();
  }
});

Deno.test("--permissions prints the permissions and does nothing else", async () => {
  const home = new Home();
  try {
    await home.succeed(["assets", "write", "there", "--permissions"]);
    await home.succeed(["keys", "generate", "--permissions"]);
    const report = ["--report", "report.json", "--metrics-textfile", "m.prom"];
    await home.succeed(["export", "bundle", "--profile", "kit", ...report, "--permissions"]);
    assert.deepEqual([...Deno.readDirSync(home.path)], []);
  } finally {
    home.remove();
  }
});

/** The list of commands, against the declarations and against what a running program says. */
import assert from "node:assert/strict";
import { entries, loadSubjects } from "../../src/cli/commands.ts";
import { Home, root } from "../support/program.ts";
import { holdToLines, permissionLines } from "../support/permission_lines.ts";

Deno.test("the list names each command as its declaration does, and no name twice", async () => {
  for (const { names, load } of entries) {
    const { command } = await load();
    assert.deepEqual(names, [command.path, ...command.aliases]);
  }
  const all = entries.flatMap(({ names }) => names);
  assert.deepEqual(all, [...new Set(all)]);
});

Deno.test("a declaration is complete: an argument that repeats is the last, an example runs it", async () => {
  for (const { path, aliases, args, examples } of (await commands())) {
    const repeats = Object.values(args).map(({ repeat }) => repeat === true);
    assert.ok(!repeats.slice(0, -1).includes(true), path);
    assert.ok(examples.length > 0, path);
    for (const example of examples) {
      assert.ok([path, ...aliases].some((name) => example.includes(`stella ${name}`)), example);
    }
  }
});

Deno.test("the permissions of each name of each command are promised in the list", async () => {
  const names = (await commands()).flatMap(({ path, aliases }) => [path, ...aliases]);
  assert.deepEqual(
    [...new Set(permissionLines.map(([name]) => name))].toSorted(),
    names.toSorted(),
  );
});

async function commands() {
  return (await loadSubjects()).flatMap((subject) => subject.commands);
}

Deno.test("from source each command has exactly what the list says when its work begins", async () => {
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

Deno.test("--permissions prints the permissions and does nothing", async () => {
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

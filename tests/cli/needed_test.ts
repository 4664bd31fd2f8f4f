/** The table of what commands need, against the commands there are, and against what a running program says. */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { commands } from "../../src/cli/program.ts";
import type { Host } from "../../src/cli/host.ts";
import { neededBy, neededFor } from "../../src/config/needed.ts";
import { Home, root } from "../support/program.ts";
import { holdToLines, permissionLines } from "../support/permission_lines.ts";

const noHost = { stdout: () => {}, stderr: () => {} } as unknown as Host;

/** The whole names of the commands that do work: what is no mere group. */
function working(): string[] {
  const found: string[] = [];
  const walk = (command: Command, path: string[]) => {
    const isLeaf = command.options.some(({ long }) => long === "--permissions");
    assert.ok(isLeaf || command.commands.length > 0, `${path.join(" ")} does not say what it may`);
    if (isLeaf) found.push(path.join(" "));
    for (const one of command.commands) walk(one, [...path, one.name()]);
  };
  walk(commands(noHost, () => {}), []);
  return found.toSorted();
}

Deno.test("every command has a row, every row a command, and each is promised in the list", () => {
  const names = working();
  assert.ok(names.length > 20);
  assert.deepEqual(Object.keys(neededBy).toSorted(), names);
  assert.deepEqual([...new Set(permissionLines.map(([name]) => name))].toSorted(), names);
});

Deno.test("a command line that names a command declares that one, every other line all", () => {
  const namesOf = (first?: string) =>
    commands(noHost, () => {}, first).commands.map((one) => one.name());
  const all = namesOf();
  assert.deepEqual(["--help", "help", "verfiy", ""].map(namesOf), Array(4).fill(all));
  for (const name of all) {
    const found = namesOf(name);
    assert.ok(found.includes(name) && found.length < all.length, `${name}: ${found.join(", ")}`);
  }
});

Deno.test("a command without a row has none by a name that every object has", () => {
  for (const name of ["constructor", "toString", "export", "", "verify "]) {
    assert.equal(neededFor(name, { options: {}, args: [] }), undefined, name);
  }
});

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

Deno.test("to ask a command what it may do does nothing", async () => {
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

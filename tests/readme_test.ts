/**
 * The commands of the README run as printed, in a temporary directory, and their output is the one
 * that the README shows.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../src/domain/hash.ts";
import { blocksOf } from "./docs/pages.ts";
import { requiring } from "./support/needs.ts";
import { root } from "./support/program.ts";
import { withDockerRegistry } from "./support/registry/docker_registry.ts";
import { withWorkplace, type Workplace } from "./support/workplace.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");

/** The boxes of commands below a heading. */
function boxes(heading: string): string[] {
  const found = blocksOf(readme).filter((block) => block.heading === heading);
  const commands = found.filter(({ language }) => language === "sh").map(({ text }) => text);
  assert.ok(commands.length > 0, heading);
  return commands;
}

Deno.test("README: the file has at most 200 lines", () => {
  assert.ok(readme.trimEnd().split("\n").length <= 200);
});

Deno.test("README: the commands of the setup use the Deno and the tasks of this project", () => {
  const { tasks } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
  const ci = readFileSync(join(root, ".ci/run"), "utf8");
  const commands = boxes("Try it in 60 seconds").join("").trimEnd().split("\n");
  const names = commands.map((command) => {
    const [, deno = "", task = ""] = /^npx --yes (deno@[\d.]+) task (\w+)$/.exec(command) ?? [];
    assert.ok(ci.includes(`npx --yes ${deno}`), command);
    assert.ok(tasks[task] !== undefined, command);
    return task;
  });
  assert.deepEqual(names, ["demo", "test"]);
});

Deno.test("README: the demo shows a verified bundle, a refused bundle and a service", async () => {
  const child = new Deno.Command(Deno.execPath(), { args: ["task", "demo"], cwd: root });
  const { success, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(success, text + new TextDecoder().decode(stderr));
  for (const shown of [/^ +verified /m, /REFUSED \(code 7\)/, /export_queue_depth 0/]) {
    assert.match(text, shown);
  }
});

Deno.test(
  requiring(
    ["sh", "install", "sha256sum"],
    "README: Install",
    () =>
      withWorkplace(async (place) => {
        // The output of `deno task build` exists already.
        place.script("bin/deno", 'test "$*" = "task build"');
        place.write("dist/stella.sha256", `${digestOf(place)}  stella\n`);
        for (const box of boxes("Install")) await place.run(box);
        assert.ok(Deno.statSync(join(place.path, ".local/bin/stella")).isFile);
      }),
  ),
);

Deno.test(requiring(["sh"], "README: Copy one binary", () =>
  withWorkplace(async (place) => {
    await place.run(boxes("Copy one binary")[0]!);
    const shown = blocksOf(readme).filter(({ language }) => language === "output");
    for (const line of shown.flatMap(({ text }) => text.trimEnd().split("\n"))) {
      assert.ok(place.printed(line), `"${line}" is not in:\n${place.output}`);
    }
    const payload = [...Deno.readDirSync(join(place.path, "payload"))].map(({ name }) => name);
    assert.deepEqual(payload.toSorted(), ["advisories", "sbom", "vex"]);
  })));

Deno.test(requiring(
  ["sh", "docker-registry"],
  "README: a registry as the medium",
  () =>
    withDockerRegistry(({ host }) =>
      withWorkplace(async (place) => {
        place.exchanged.push(["registry.site:5000", host]);
        for (const box of boxes("Copy one binary")) await place.run(box);
        assert.ok(Deno.statSync(join(place.path, "received/manifest.json")).isFile);
      })
    ),
));

Deno.test(
  requiring(["sh", "install"], "README: Run the service", () =>
    withWorkplace(async (place) => {
      for (const box of boxes("Run the service")) await place.run(box);
      assert.ok(Deno.statSync(join(place.path, "kit/manifest.json")).isFile);
    })),
);

Deno.test(requiring(
  ["sh", "install", "sha256sum"],
  "README: Carry a stick",
  () =>
    withWorkplace(async (near) => {
      const [write, check] = boxes("Carry a stick");
      await near.run(write!);
      const stick = join(near.path, "media/stick");
      await withWorkplace(async (far) => {
        await far.run(`cp -r ${stick} /media/ && cp ${near.path}/signer.pub .`);
        far.env["STELLA_SHA256"] = digestOf(near);
        await far.run(check!);
      });
      // A replaced binary on the stick is detected before it runs.
      await withWorkplace(async (far) => {
        await far.run(`cp -r ${stick} /media/ && cp ${near.path}/signer.pub .`);
        far.script("media/stick/advisories/stella", "echo verified");
        far.env["STELLA_SHA256"] = digestOf(near);
        // Pasted into an interactive shell, which goes on after a command that fails.
        await assert.rejects(far.run(`set +e\n${check!}`), /FAILED/);
        assert.doesNotMatch(far.output, /verified/);
      });
    }),
));

/** SHA-256 of the program that was built. */
function digestOf(place: Workplace): string {
  return sha256(Deno.readFileSync(join(place.path, "dist/stella")));
}

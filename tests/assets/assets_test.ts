import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { assets } from "../../src/assets/assets.ts";
import { hostileNames } from "../../src/config/permissions.ts";
import { build } from "../../src/version.ts";
import { testWith, tool } from "../needs.ts";

const root = new URL("../../", import.meta.url);
const units = new URL("src/assets/systemd/", root);

Deno.test("assets come in the order of their bytes, each once", () => {
  const paths = assets().map(({ path }) => path);
  assert.deepEqual(
    paths,
    [...new Set(paths)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
});

Deno.test("assets are the files they were made from, byte for byte", () => {
  for (const { path, bytes, kind } of assets()) {
    if (kind === "sbom") continue;
    const source = kind === "unit"
      ? new URL(path.replace("systemd/", ""), units)
      : new URL(path, root);
    assert.ok(readFileSync(source).equals(bytes), path);
  }
});

Deno.test("assets hold one SBOM, of this build, the same each time", () => {
  const sbom = () =>
    assets().filter(({ kind }) => kind === "sbom").map(({ bytes }) =>
      Buffer.from(bytes).toString()
    );
  const [text = "", ...others] = sbom();
  assert.deepEqual([others, sbom()], [[], [text]]);
  const { metadata } = JSON.parse(text);
  assert.equal(metadata.component.version, build().version);
  assert.equal(metadata.component.properties[0].value, build().commit);
});

/** Exposure of a unit is at most this: systemd's own measure, lower is better. */
for (const [unit, most] of [["stella.service", 1.0], ["stella-verify@.service", 0.3]] as const) {
  testWith(["systemd-analyze"], `${unit} is exposed to at most ${most.toFixed(1)}`, () => {
    const path = new URL(unit, units).pathname;
    const { stdout, stderr } = spawnSync(tool("systemd-analyze") ?? "", [
      "security",
      "--offline=true",
      "--no-pager",
      path,
    ]);
    const level = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout.toString())?.[1];
    assert.ok(level !== undefined, stderr.toString());
    assert.ok(Number(level) <= most, `the level is ${level}`);
  });
}

testWith(["systemd-analyze"], "systemd understands every line of the units", () => {
  // The only thing it may miss is the program, which is not at its place on this machine.
  for (const unit of ["stella.service", "stella-verify@.service"]) {
    const path = new URL(unit, units).pathname;
    const { stdout, stderr } = spawnSync(tool("systemd-analyze") ?? "", [
      "verify",
      "--man=no",
      path,
    ]);
    const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
    const others = lines.filter((line) =>
      !/Command \/usr\/local\/bin\/stella is not executable/.test(line)
    );
    assert.deepEqual(others, [], unit);
  }
});

Deno.test("the units take away exactly the variables that act past the program's permissions", () => {
  const unset = (unit: string) => {
    const lines = readFileSync(new URL(unit, units), "utf8").matchAll(/^UnsetEnvironment=(.*)$/gm);
    return [...lines].flatMap((found) => found[1]!.split(" ")).sort();
  };
  assert.deepEqual(unset("stella.service"), [...hostileNames].sort());
  // The verifier's unit sets this one itself.
  const others = hostileNames.filter((name) => name !== "DENO_V8_FLAGS");
  assert.deepEqual(unset("stella-verify@.service"), [...others].sort());
});

Deno.test("what the service needs of systemd to start and stop in order stands in its unit", () => {
  const unit = readFileSync(new URL("stella.service", units), "utf8");
  const needed = ["Type=notify", "NotifyAccess=main", "WatchdogSec=60", "StateDirectory=stella"];
  for (const line of needed) assert.ok(unit.includes(`\n${line}\n`), line);
  // Longer than the service itself waits for a running export.
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > 60);
  assert.match(unit, /^RestrictAddressFamilies=.*\bAF_UNIX\b/m);
});

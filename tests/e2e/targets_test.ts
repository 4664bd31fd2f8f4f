/**
 * Targets of a profile that is exported by the command: the same as for the service, each with its
 * own result.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { freePort, Home } from "../support/program.ts";
import { startRegistry } from "../support/site.ts";

async function withHome(body: (home: Home) => Promise<void>): Promise<void> {
  const home = new Home();
  try {
    mkdirSync(join(home.path, "in"));
    writeFileSync(join(home.path, "in/a"), "a");
    await body(home);
  } finally {
    home.remove();
  }
}

/** The profile `p` with these targets. */
function configure(home: Home, targets: unknown[], registries: unknown = {}): void {
  const profile = { kind: "files", sources: [{ files: join(home.path, "in") }], targets };
  const config = { version: 1, registries, profiles: { p: profile } };
  mkdirSync(home.state, { recursive: true });
  writeFileSync(join(home.state, "stella.yaml"), JSON.stringify(config));
}

const line = ["export", "bundle", "--profile", "p"];

Deno.test("an export command publishes to the directories of its profile", () =>
  withHome(async (home) => {
    const [first, second] = [join(home.path, "first"), join(home.path, "of-{tenant}")];
    configure(home, [{ directory: first }, { directory: second }]);
    const planned = await home.json([...line, "--dry-run"]);
    assert.deepEqual(planned.targets, [{ directory: first }, { directory: second }]);
    const ran = await home.json(line);
    assert.equal(ran.exit, 0);
    assert.deepEqual(ran.targets.map((one: { ok: boolean }) => one.ok), [true, true]);
    const manifest = (place: string) =>
      readFileSync(join(home.path, place, "manifest.json"), "utf8");
    assert.equal(manifest("first"), manifest("out"));
    assert.equal(manifest("of-default"), manifest("out"));
    await home.succeed(["verify", "first"]);
    const shown = await home.succeed(line);
    assert.match(shown.stdout, /^published directory ".*first", [\d.]+ s$/m);
  }));

Deno.test("--no-publish publishes to none of them", () =>
  withHome(async (home) => {
    const directory = join(home.path, "first");
    configure(home, [{ directory }]);
    const ran = await home.json([...line, "--no-publish"]);
    assert.deepEqual([ran.exit, ran.targets], [0, undefined]);
    assert.ok(!existsSync(directory));
    const served = await home.json([...line, "--no-publish", "--server", "http://127.0.0.1:1"]);
    assert.equal(served.exit, 2);
    assert.match(served.error.message, /--no-publish/);
  }));

Deno.test("a target that is the output directory is reported as having the bundle", () =>
  withHome(async (home) => {
    configure(home, [{ directory: join(home.path, "out") }]);
    assert.equal((await home.json(line)).exit, 0);
    await home.succeed(["verify", "out"]);
  }));

Deno.test("a failed target sets the exit code, the others are tried, and the bundle is complete", () =>
  withHome(async (home) => {
    const [blocked, good] = [join(home.path, "blocked"), join(home.path, "good")];
    mkdirSync(blocked);
    writeFileSync(join(blocked, "manifest.json"), "mine");
    configure(home, [{ directory: blocked }, { directory: good }]);
    const ran = await home.json([...line, "--report", "report.json"]);
    assert.deepEqual([ran.exit, ran.code, ran.ok, ran.verdict], [14, 14, false, "exported"]);
    assert.match(ran.error.message, /is in the way; the bundle itself is complete in "out"$/);
    const results = ran.targets.map((one: Record<string, unknown>) => [one.directory, one.ok]);
    assert.deepEqual(results, [[blocked, false], [good, true]]);
    assert.equal(ran.targets[0].code, 14);
    const report = JSON.parse(readFileSync(join(home.path, "report.json"), "utf8"));
    assert.deepEqual(report.targets, ran.targets);
    for (const place of ["out", "good"]) await home.succeed(["verify", place]);
    assert.equal(readFileSync(join(blocked, "manifest.json"), "utf8"), "mine");
    const shown = await home.stella(line);
    assert.equal(shown.code, 14);
    assert.match(shown.stdout, /^failed {4}directory ".*blocked": .*\(code 14\)$/m);
    assert.match(shown.stdout, /^ {2}the bundle itself is complete in "out"$/m);
  }));

Deno.test("a failed push is reported like a failed target, and both are in one result", () =>
  withHome(async (home) => {
    const blocked = join(home.path, "blocked");
    mkdirSync(blocked);
    writeFileSync(join(blocked, "manifest.json"), "mine");
    configure(home, [{ directory: blocked }]);
    const push = `oci://127.0.0.1:${freePort()}/exports/p:latest`;
    const ran = await home.json([...line, "--push", push]);
    assert.deepEqual([ran.ok, ran.verdict, ran.bundle.profile], [false, "exported", "p"]);
    const results = ran.targets.map((one: Record<string, unknown>) => [
      one["directory"] ?? one["reference"],
      one["code"],
    ]);
    assert.deepEqual(results, [[blocked, 14], [push, 13]]);
    assert.equal(ran.exit, ran.code);
    assert.match(ran.error.message, /^Cannot publish to 2 of 2 targets: .*blocked".*; oci:\/\/127/);
    assert.match(ran.error.message, /the bundle itself is complete in "out"$/);
    assert.match(ran.error.hint, /push it with: stella push out oci:\/\/127\.0\.0\.1/);
    const { stdout, stderr } = await home.stella([...line, "--push", push, "--no-publish"]);
    assert.match(stdout, /^exported {2}p of [^]*^failed {4}oci:\/\/127.*\(code 13\)$/m);
    assert.equal(stderr, "");
  }));

Deno.test("an unreachable registry is code 13, and the bundle is complete", () =>
  withHome(async (home) => {
    const url = `http://127.0.0.1:${freePort()}`;
    const target = { registry: "site", repository: "exports/p", tag: "latest" };
    configure(home, [target], { site: { url } });
    const ran = await home.json(line);
    assert.deepEqual([ran.exit, ran.targets[0].code, ran.targets[0].registry], [13, 13, "site"]);
    await home.succeed(["verify", "out"]);
  }));

Deno.test(requiring(
  ["docker-registry"],
  "an export command pushes to the registries of its profile",
  () =>
    withHome(async (home) => {
      const registry = await startRegistry(home.path);
      try {
        const target = { registry: "site", repository: "exports/p", tag: "latest" };
        configure(home, [target], { site: { url: registry.url } });
        const ran = await home.json(line);
        assert.deepEqual([ran.exit, ran.targets[0].ok], [0, true], JSON.stringify(ran));
        await home.succeed(["verify", `oci://${new URL(registry.url).host}/exports/p:latest`]);
      } finally {
        await registry.stop();
      }
    }),
));

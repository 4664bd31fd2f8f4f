/** The files that a run writes besides its result, tested by running the program. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { previousSuccesses, runMetrics } from "../../src/cli/run_metrics.ts";
import { requiring, tool } from "../support/needs.ts";
import { type Home, withHome } from "../support/program.ts";

const kit = ["export", "bundle", "--profile", "kit", "--manifest", "out/manifest.json", "--quiet"];
const files = ["--metrics-textfile", "run.prom", "--report", "run.json"];

const read = (home: Home, name: string) => readFileSync(join(home.path, name), "utf8");

function sample(text: string, name: string): number {
  const found = new RegExp(`^${name}\\{[^\\n]*\\} (\\S+)$`, "m").exec(text);
  return Number(found?.[1] ?? NaN);
}

Deno.test("an export leaves metrics and a report, and no other file", () =>
  withHome(async (home) => {
    const before = Date.now() / 1000;
    await home.succeed([...kit, ...files]);
    const metrics = read(home, "run.prom");
    assert.match(metrics, /^export_run_success\{command="export bundle",profile="kit"\} 1$/m);
    assert.ok(sample(metrics, "export_run_last_success_timestamp_seconds") >= before);
    assert.ok(sample(metrics, "export_run_payload_files") >= 10);
    const report = JSON.parse(read(home, "run.json"));
    assert.deepEqual([report.command, report.ok, report.tool.name], [
      "export bundle",
      true,
      "stella",
    ]);
    assert.ok(Date.parse(report.ended) - Date.parse(report.started) === report.seconds * 1000);
    assert.deepEqual(readdirSync(home.path).sort(), ["out", "run.json", "run.prom", "state"]);
  }));

interface StageTime {
  stage: string;
  seconds: number;
  bytes: number;
}

Deno.test("the report lists each stage in order with seconds and bytes, and is not part of the bundle", () =>
  withHome(async (home) => {
    mkdirSync(join(home.path, "in"));
    writeFileSync(join(home.path, "in/a"), "x".repeat(70_000));
    const words = ["export", "bundle", "--profile", "p", "--input", "in", "--quiet"];
    await home.succeed([...words, "--manifest", "out/manifest.json", ...files]);
    const { stages, seconds } = JSON.parse(read(home, "run.json")) as {
      stages: StageTime[];
      seconds: number;
    };
    assert.deepEqual(stages.map(({ stage, bytes }) => [stage, bytes]), [
      ["plan", 0],
      ["read", 70_000],
      ["sign", 0],
      ["store", 0],
    ]);
    assert.ok(stages.every((one) => one.seconds >= 0));
    assert.ok(stages.reduce((sum, one) => sum + one.seconds, 0) <= seconds + 0.1);
    await home.succeed([...words, "--manifest", "again/manifest.json"]);
    const digests = ["out", "again"].map((name) => read(home, `${name}/manifest.json`));
    assert.equal(digests[0], digests[1], "with a report or without, the bundle is the same");
  }));

Deno.test("a report path in the bundle's directory or in a source is refused, and no bundle is written", () =>
  withHome(async (home) => {
    for (const folder of ["in", "out"]) mkdirSync(join(home.path, folder));
    writeFileSync(join(home.path, "in/a"), "x");
    const words = ["export", "bundle", "--profile", "p", "--input", "in"];
    const run = async (...more: string[]) =>
      await home.stella([...words, "--manifest", "out/manifest.json", ...more]);
    const cases: [string[], RegExp][] = [
      [["--report", "out/run.json"], /directory of the bundle, "out"/],
      [["--metrics-textfile", "out/deep/../run.prom"], /directory of the bundle/],
      [["--report", "in/run.json"], /what is exported, "in"/],
    ];
    for (const [more, why] of cases) {
      const ran = await run(...more);
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, why);
    }
    assert.deepEqual(readdirSync(join(home.path, "out")), []);
  }));

Deno.test("verification, which has dropped its write permission, writes both, too; a failure keeps the last success", () =>
  withHome(async (home) => {
    await home.succeed(kit);
    await home.succeed(["verify", "out", ...files]);
    const good = read(home, "run.prom");
    writeFileSync(join(home.path, "out/SHA256SUMS"), "x");
    const ran = await home.stella(["verify", "out", ...files]);
    assert.equal(ran.code, 7);
    const bad = read(home, "run.prom");
    assert.deepEqual([sample(good, "export_run_success"), sample(bad, "export_run_success")], [
      1,
      0,
    ]);
    const last = "export_run_last_success_timestamp_seconds";
    assert.equal(sample(bad, last), sample(good, last));
    assert.equal(sample(bad, "export_run_exit_code"), 7);
    assert.match(bad, /^export_run_findings\{command="verify",profile="kit",reason="\w+"\} 1$/m);
    assert.equal(good.length, bad.length, "one text replaces the other in one write");
    const report = JSON.parse(read(home, "run.json"));
    assert.deepEqual([report.ok, report.code, report.findings[0].code], [false, 7, 7]);
  }));

Deno.test("a run that fails writes them, too", () =>
  withHome(async (home) => {
    const ran = await home.stella(["verify", "nowhere", ...files]);
    assert.equal(ran.code, 12);
    assert.equal(sample(read(home, "run.prom"), "export_run_exit_code"), 12);
    assert.match(JSON.parse(read(home, "run.json")).error.message, /nowhere/);
  }));

Deno.test("a path that cannot be written is refused before any work is done", () =>
  withHome(async (home) => {
    const ran = await home.stella([...kit, "--metrics-textfile", "none/run.prom"]);
    assert.equal(ran.code, 12);
    assert.match(ran.stderr, /Cannot write "none\/run.prom"/);
    assert.deepEqual(readdirSync(home.path), []);
  }));

Deno.test("names from a bundle are quoted safely, and earlier successes of other bundles are kept", () => {
  const run = { command: "verify", profile: undefined, code: 0, started: 0, ended: 1_500 };
  const json = { bundle: { profile: 'a"} 1\nexport_run_success{b="', files: 1, bytes: 2 } };
  const before = previousSuccesses(
    'export_run_last_success_timestamp_seconds{command="export bundle",profile="x"} 17.5\n' +
      "export_run_last_success_timestamp_seconds{} x\n",
  );
  const text = runMetrics({ ...run, json }, before);
  assert.match(
    text,
    /^export_run_success\{command="verify",profile="a\\"\} 1\\nexport_run_success\{b=\\""\} 1$/m,
  );
  assert.match(
    text,
    /^export_run_last_success_timestamp_seconds\{command="export bundle",profile="x"\} 17.5$/m,
  );
  assert.equal(text.length % 4096, 0);
});

Deno.test(requiring(
  ["promtool"],
  "promtool accepts the metrics of a run",
  () =>
    withHome(async (home) => {
      await home.succeed(kit);
      await home.succeed(["verify", "out", ...files]);
      const child = new Deno.Command("sh", {
        args: ["-c", `${tool("promtool")} check metrics < run.prom`],
        cwd: home.path,
      });
      const { code, stdout, stderr } = await child.output();
      assert.deepEqual(
        [code, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)],
        [0, ""],
      );
    }),
));

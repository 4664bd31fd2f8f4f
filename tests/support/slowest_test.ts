/** The files that take longest are found in reports of real test runs. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { slowest } from "./slowest.ts";

const slow = `
Deno.test("a <slow> test", async (t) => {
  await t.step("its step", () => new Promise((done) => setTimeout(done, 200)));
});
Deno.test("is ignored", { ignore: true }, () => {});`;
const needs = `
import { requiring } from "${new URL("./needs.ts", import.meta.url)}";
Deno.test(requiring(["sh"], "needs a tool", () => {}));`;
const quick = `Deno.test("fails at once", () => { throw new Error("no"); });`;

/** The report of a run of these files. */
async function reportOf(files: Record<string, string>): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "stella-slowest-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    const report = join(directory, "report.xml");
    const flags = ["-A", "--no-config", "--no-check", "--quiet", `--junit-path=${report}`];
    await new Deno.Command(Deno.execPath(), {
      args: ["test", ...flags, ...Object.keys(files)],
      cwd: directory,
      stdout: "null",
      stderr: "null",
    }).output();
    return readFileSync(report, "utf8");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

Deno.test("test files are listed with their time, slowest first, steps counted once", async () => {
  const unit = await reportOf({ "quick_test.ts": quick, "slow_test.ts": slow });
  const found = slowest([["unit", unit], ["e2e", unit]], 3);
  assert.deepEqual(found.map(({ report, file }) => `${report} ${file}`), [
    "unit ./slow_test.ts",
    "e2e ./slow_test.ts",
    "unit ./quick_test.ts",
  ]);
  const step = Number(/ &gt; its step" [^>]*time="([\d.]+)"/.exec(unit)?.[1]);
  const [first, , last] = found;
  assert.ok(step >= 0.2 && first!.seconds >= step && first!.seconds < 2 * step, unit);
  assert.ok(last!.seconds < 0.2, unit);
});

Deno.test("a test that needs a tool is counted for its own file", async () => {
  const report = await reportOf({ "needs_test.ts": needs });
  const found = slowest([["unit", report]], 3);
  assert.deepEqual(found.map(({ file }) => file), ["./needs_test.ts"]);
});

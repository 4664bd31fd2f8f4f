/**
 * `slowest.ts DIRECTORY [COUNT]`: the slowest test files of the JUnit reports in a directory, with
 * the name of the report that each is in.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Slow {
  seconds: number;
  report: string;
  file: string;
}

/** The time of each file's tests, slowest first. `text` is a report as `deno test` writes it. */
export function slowest(reports: readonly [name: string, text: string][], count: number): Slow[] {
  const files = reports.flatMap(([report, text]) =>
    [...text.matchAll(/<testsuite name="([^"]*)"[^>]*>(.*?)<\/testsuite>/gs)]
      .map(([, file = "", tests = ""]) => ({ seconds: secondsOf(tests), report, file }))
  );
  return files.toSorted((a, b) => b.seconds - a.seconds).slice(0, count);
}

/** A step is a test of its own in the report, "TEST > STEP"; the time of the test includes it. */
function secondsOf(tests: string): number {
  const found = [...tests.matchAll(/<testcase name="([^"]*)"[^>]* time="([\d.]+)"/g)]
    .map(([, name = "", time]) => ({ name, time: Number(time) }));
  const isStep = (name: string) => found.some((one) => name.startsWith(`${one.name} &gt; `));
  return found.reduce((sum, { name, time }) => isStep(name) ? sum : sum + time, 0);
}

if (import.meta.main) {
  const [directory = ".", count = "20"] = Deno.args;
  const names = readdirSync(directory).filter((name) => name.endsWith(".xml")).sort();
  const reports = names.map((name): [string, string] => [
    name.slice(0, -".xml".length),
    readFileSync(join(directory, name), "utf8"),
  ]);
  const lines = slowest(reports, Number(count)).map(({ seconds, report, file }) =>
    `${seconds.toFixed(1).padStart(7)} s  ${report}: ${file.replace("./", "")}\n`
  );
  Deno.stdout.writeSync(new TextEncoder().encode(lines.join("")));
}

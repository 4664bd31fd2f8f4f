/**
 * `deno task test:jsr`: the tests on JSR's own @std/tar and @std/crypto in place of the folders
 * that deno.json links to. It needs JSR: without access nothing is tested, and the run fails with a
 * message.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../support/program.ts";

interface Config {
  imports: Record<string, string>;
  links?: string[];
}

function deno(args: string[]): boolean {
  const env = { ...Deno.env.toObject(), OTEL_DENO: "false" };
  return spawnSync(Deno.execPath(), args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** @returns the exit code */
function run(place: string): number {
  const { links: _, ...rest } = JSON.parse(
    Deno.readTextFileSync(join(root, "deno.json")),
  ) as Config;
  const path = join(place, "deno.json");
  writeFileSync(path, JSON.stringify(rest));
  const config = [`--config=${path}`, "--no-lock"];
  const packages = Object.values(rest.imports).filter((specifier) => specifier.startsWith("jsr:"));
  if (!deno(["cache", ...config, ...packages])) {
    say(`JSR cannot be reached: nothing was tested on ${packages.join(" and ")}`);
    return 1;
  }
  const tests = ["test", "-A", "--no-check", "--parallel", "--ignore=tests/e2e", "tests"];
  return deno([tests[0]!, ...config, ...tests.slice(1)]) ? 0 : 1;
}

const place = mkdtempSync(join(tmpdir(), "stella-jsr-"));
try {
  Deno.exitCode = run(place);
} finally {
  rmSync(place, { recursive: true });
}

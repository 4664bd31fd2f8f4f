/**
 * `deno task e2e [--binary PATH]`: the tests that drive the program as a user does (seed lines, README, end to end), against the
 * program from its source or the binary at PATH.
 */
import { resolve } from "node:path";

const at = Deno.args.indexOf("--binary");
const path = at < 0 ? undefined : Deno.args[at + 1];
if (at >= 0 && path === undefined) throw new Error("--binary needs a path");
const rest = at < 0 ? Deno.args : Deno.args.toSpliced(at, 2);
const suites = ["tests/seed_test.ts", "tests/readme_test.ts", "tests/e2e"];
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--no-check", ...suites, ...rest],
  env: path === undefined ? {} : { STELLA_BINARY: resolve(path) },
  stdout: "inherit",
  stderr: "inherit",
}).spawn().status;
Deno.exit(code);

/**
 * Run as a child, under strace: exports argument 0 into argument 1 and ends with the error's exit
 * code.
 */
import { StellaError } from "../../src/domain/errors.ts";
import { run } from "../support/run_export.ts";

try {
  await run(Deno.args[1]!, Deno.args[0]!);
} catch (error) {
  Deno.exit(error instanceof StellaError ? error.exitCode : 99);
}

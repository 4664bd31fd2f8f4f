/** Checks that a built file is stella by starting it. */
import { StellaError } from "../domain/errors.ts";
import { version } from "../domain/version.ts";
import { run } from "./run.ts";

/**
 * With an empty environment the file must print this version for `version` within 30 s.
 * @throws StellaError defect
 */
export async function assertStarts(path: string): Promise<void> {
  const { code, stdout, stderr } = await run(path, ["version"], { clearEnv: true, limit: 30_000 });
  if (code === 0 && stdout.includes(version)) return;
  const found = `exit code ${code}: ${stderr.trim()}`;
  throw new StellaError("build_failed", `Cannot start what was built: ${found}`);
}

/** Checks that a built file is stella by starting it. */
import { version } from "../domain/version.ts";
import { run } from "./run.ts";

/** Whether the file, with an empty environment, prints this version for `version` within 30 s. */
export async function starts(path: string): Promise<boolean> {
  try {
    const { code, stdout } = await run(path, ["version"], { clearEnv: true, limit: 30_000 });
    return code === 0 && stdout.includes(version);
  } catch {
    return false; // the system cannot execute it at all
  }
}

/** Readiness checks of target directories; they only warn: other profiles can still export. */
import { stat, statfs } from "node:fs/promises";
import type { Profile } from "../config/profile.ts";
import { renderDirectory } from "../config/target_tenants.ts";
import { messageOf } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import { withAncestors } from "../domain/real_path.ts";
import type { Check } from "./readiness.ts";

/** Below this share of free space there is hardly room for another bundle. */
const minFree = 0.02;

export function targetChecks(profiles: readonly Profile[], tenants: readonly string[]): Check[] {
  return profiles.flatMap((profile): Check[] => {
    const directories = directoriesOf(profile, tenants);
    if (directories.length === 0) return [];
    return [{
      name: `target:${profile.name}`,
      limit: 2_000,
      late: "warn",
      run: async () => {
        const faults = await Promise.all(directories.map(faultOf));
        const output = faults.filter((one) => one !== undefined).join("; ");
        return output === "" ? { status: "pass" } : { status: "warn", output };
      },
    }];
  });
}

function directoriesOf(profile: Profile, all: readonly string[]): string[] {
  const templates = profile.targets.flatMap((one) => "directory" in one ? [one.directory] : []);
  const tenants = profile.tenants ?? all;
  return [...new Set(templates.flatMap((one) => tenants.map((t) => renderDirectory(one, t))))];
}

/**
 * Why a bundle cannot be published there; the first export creates a missing directory. Write
 * access is not tried: mode bits do not decide it, and a test file would appear to readers.
 */
async function faultOf(directory: string): Promise<string | undefined> {
  const says = (reason: string) => `${JSON.stringify(directory)}: ${reason}`;
  try {
    const there = await nearest(directory);
    const { bavail, blocks } = await statfs(there);
    const share = blocks === 0 ? 1 : bavail / blocks;
    return share < minFree ? says(`${(share * 100).toFixed(1)} % free`) : undefined;
  } catch (error) {
    return says(messageOf(error));
  }
}

/** The directory itself, or its nearest existing ancestor. */
async function nearest(directory: string): Promise<string> {
  for (const path of withAncestors(directory)) {
    const found = await stat(path).catch((error) => {
      if (errnoOf(error) !== "ENOENT") throw error;
    });
    if (found?.isDirectory()) return path;
    if (found) throw new Error("not a directory");
  }
  throw new Error("no such directory");
}

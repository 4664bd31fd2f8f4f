/** `--volumes DIR`: volumes of one bundle that lie on several sticks, and what came of each: right, missing or bad, and where. */
import type { Manifest } from "../bundle/manifest.ts";
import { escaped } from "../bundle/names.ts";
import type { Verdict } from "../verify/verdict.ts";

export interface VolumeState {
  path: string;
  /** `unjudged`: so much is wrong that not every finding was kept, and one about this volume may be among the others. */
  state: "right" | "missing" | "bad" | "unjudged";
  /** The directory in which it was found. */
  where?: string;
}

/**
 * Judges each archive file of a manifest by what verification found of it.
 * @param places path -> directory, of the files that were opened
 */
export function volumeStates(
  manifest: Manifest,
  verdict: Verdict,
  places: ReadonlyMap<string, string>,
): VolumeState[] {
  const faulty = new Set(verdict.findings.map((finding) => finding.path));
  const sound = verdict.findings.some(({ reason }) => reason === "more_findings")
    ? "unjudged"
    : "right";
  return manifest.files.filter(({ role }) => role === "archive").map(({ path }) => {
    const where = places.get(path);
    if (where === undefined) return { path, state: "missing" };
    return { path, state: faulty.has(path) ? "bad" : sound, where };
  });
}

export function volumesText(states: readonly VolumeState[]): string {
  return states.map(({ path, state, where }) =>
    `  ${state.padEnd(8)}  ${escaped(path)}${where === undefined ? "" : `  in ${escaped(where)}`}\n`
  ).join("");
}

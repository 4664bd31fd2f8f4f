/** Volumes of one bundle, on one or several sticks: the state of each, and where it was found. */
import type { Manifest } from "../bundle/manifest.ts";
import { escaped } from "../domain/names.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { OpenBundle, Place } from "./open_bundle.ts";

export interface VolumeState {
  path: string;
  /** `not_checked`: findings were cut off, and one may be about this volume. */
  state: "ok" | "missing" | "damaged" | "not_checked";
  /** The directory in which it was found. */
  where?: string;
  /** Directories with a copy that is damaged, while the one in `where` is ok. */
  badCopies?: readonly string[] | undefined;
}

const absence = ["volume_missing", "file_missing"];

/** The state of each archive file; undefined if one archive lies in one directory. */
export function volumeStates(
  { files }: Manifest,
  { findings }: Verdict,
  { directories, found, badCopies }: Pick<Place, "directories"> & Omit<OpenBundle, "source">,
): VolumeState[] | undefined {
  const archives = files.filter(({ role }) => role === "archive");
  const [only] = directories;
  if (only === undefined || (found === undefined && archives.length < 2)) return undefined;
  const faulty = new Set(findings.map(({ path }) => path));
  const absent = new Set(
    findings.filter(({ reason }) => absence.includes(reason)).map(({ path }) => path),
  );
  const isCut = findings.some(({ reason }) => reason === "more_findings");
  return archives.map(({ path }) => {
    const where = found === undefined ? only : found.get(path);
    if (where === undefined || absent.has(path)) return { path, state: "missing" };
    const state = faulty.has(path) ? "damaged" : isCut ? "not_checked" : "ok";
    return { path, state, where, badCopies: badCopies?.get(path) };
  });
}

export function volumesText(states: readonly VolumeState[]): string {
  const line = (state: string, path: string, where?: string) => {
    const place = where === undefined ? "" : `  in ${escaped(where)}`;
    return `  ${state.replace("_", " ").padEnd(8)}  ${escaped(path)}${place}\n`;
  };
  return states.flatMap(({ path, state, where, badCopies = [] }) => [
    line(state, path, where),
    ...badCopies.map((directory) => line("damaged", path, directory)),
  ]).join("");
}

/**
 * Finds others who can write to a source. Whoever can write to a directory can exchange an entry
 * between two calls of an export; bundle/input_file.ts limits the consequences, but a source should
 * belong to root or to the user of the service.
 */
import { join, resolve } from "node:path";
import { withAncestors } from "../domain/real_path.ts";
import type { Profile } from "./profile.ts";

export interface WritableSource {
  profile: string;
  /** The source, or a directory below or above it. */
  path: string;
  writer: string;
}

/**
 * The first path of each source that others can write to, by owner and mode; access lists count as
 * far as the mode shows them.
 * @param state the state directory: its owner is the user of the service
 * @param max directories examined per source
 */
export function writableSources(
  profiles: Iterable<Profile>,
  state: string | undefined,
  max: number,
): WritableSource[] {
  const own = ownersOf(state);
  return [...profiles].flatMap(({ name, sources, providers = [] }) => {
    const paths = [...sources, ...providers].flatMap(({ path }) => path ?? []);
    return paths.flatMap((path) => {
      const [first] = writablePlaces(resolve(path), own, max);
      return first === undefined ? [] : { profile: name, ...first };
    });
  });
}

type Own = ReturnType<typeof ownersOf>;

/** Users and groups whose write access is fine. */
function ownersOf(state: string | undefined) {
  const stat = state === undefined
    ? undefined
    : withAncestors(state).map(statusOf).find((found) => found !== undefined);
  return { uids: [0, stat?.uid ?? 0], gids: [0, stat?.gid ?? 0] };
}

function* writablePlaces(root: string, own: Own, max: number) {
  for (const { path, isAbove } of placesOf(root, max)) {
    const stat = statusOf(path);
    const writer = stat && writerOf(stat, own, isAbove);
    if (writer !== undefined) yield { path, writer };
  }
}

/** The source, its ancestors, and the directories below it, nearest first. */
function* placesOf(path: string, max: number): Generator<{ path: string; isAbove: boolean }> {
  yield { path, isAbove: false };
  for (const above of withAncestors(path).drop(1)) yield { path: above, isAbove: true };
  const waiting = [path];
  for (let looked = 0; waiting.length > 0 && looked < max; looked++) {
    for (const below of directoriesIn(waiting.shift()!)) {
      yield { path: below, isAbove: false };
      if (waiting.length < max) waiting.push(below);
    }
  }
}

function writerOf({ uid, gid, mode }: Deno.FileInfo, own: Own, isAbove: boolean) {
  // Windows has neither.
  if (uid === null || gid === null || mode === null) return undefined;
  if (!own.uids.includes(uid)) return `it belongs to the user ${uid}`;
  // In a sticky directory such as /tmp nobody can move entries of others.
  if (isAbove && (mode & 0o1000) !== 0) return undefined;
  if ((mode & 0o002) !== 0) return "everybody can write there";
  return (mode & 0o020) !== 0 && !own.gids.includes(gid)
    ? `the group ${gid} can write there`
    : undefined;
}

/** The export itself reports what cannot be read. */
function statusOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

function* directoriesIn(path: string): Generator<string> {
  try {
    for (const entry of Deno.readDirSync(path)) if (entry.isDirectory) yield join(path, entry.name);
  } catch { /* see statusOf */ }
}

/**
 * What of a source is packed: globs over the paths below it, and which symbolic links are followed. Without any, everything is
 * packed and a link is a fault.
 *
 * A hidden name is a name like any other: `*` takes it too. An `exclude` that names a directory takes all that lies below it.
 */
import { lstatSync, realpathSync, type Stats } from "node:fs";
import { join, matchesGlob, sep } from "node:path";
import { ioError } from "../errors.ts";
import { shown } from "../bundle/names.ts";
import { kindOf } from "../bundle/source.ts";
import type { FilesSource } from "../config/profile.ts";

export interface Selection {
  /** Whether a file is packed; `path` is below the source, with `/`. */
  takes(path: string): boolean;
  /** Whether a directory is looked into. */
  enters(path: string): boolean;
  /** The real path of the source where links are followed. */
  root?: string;
}

/** @throws StellaError usage where links are to be followed and the source is gone */
export function selectionOf(source: FilesSource): Selection | undefined {
  const { include, exclude = [], follow = false, path } = source;
  if (include === undefined && exclude.length === 0 && !follow) return undefined;
  const included = include?.map(matcher);
  const excluded = exclude.flatMap((glob) => [glob, glob.replace(/(.)\/\*\*$/, "$1")]).map(matcher);
  const left = (one: string) => excluded.some((matches) => matches(one));
  return {
    takes: (one) => (included?.some((matches) => matches(one)) ?? true) && !left(one),
    enters: (one) => !left(one),
    ...(follow ? { root: realPath(path) } : {}),
  };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw ioError("Cannot read the input", path, error);
  }
}

/** The dots of hidden names become colons in glob and path alike: `*` takes a colon, and no name that is packed has one. */
function matcher(glob: string): (path: string) => boolean {
  const unhidden = glob.replace(/(^|[/{,(|])\./g, "$1:");
  return (path) =>
    matchesGlob(path, glob) ||
    (/(^|\/)\./.test(path) && matchesGlob(path.replace(/(^|\/)\./g, "$1:"), unhidden));
}

/** Where a link leads: a file or directory below the source, or what is wrong with it. */
export type Followed =
  | { target: string; isFolder: boolean }
  | { fault: string };

/**
 * @param root the source's real path: what lies outside of it is never packed
 * @param chain real paths of the directories that are being walked
 */
export function followLink(link: string, root: string, chain: readonly string[]): Followed {
  let target: string;
  let stat: Stats;
  try {
    target = realpathSync(link);
    stat = lstatSync(target);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === "ENOENT") return { fault: "it is a symbolic link to nothing" };
    if (code === "ELOOP") return { fault: "it is a symbolic link to itself" };
    throw ioError("Cannot follow the link", link, error);
  }
  if (target !== root && !target.startsWith(join(root, sep))) {
    return { fault: `it is a symbolic link that leaves the source, to ${shown(target)}` };
  }
  if (stat.isFile()) return { target, isFolder: false };
  if (!stat.isDirectory()) return { fault: `it is a symbolic link to ${kindOf(stat)}` };
  if (chain.includes(target)) {
    return { fault: "it is a symbolic link to a directory that it lies in" };
  }
  return { target, isFolder: true };
}

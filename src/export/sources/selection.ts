/**
 * Selects what of a source is packed: globs for paths below it, and which symbolic links are
 * followed. By default everything is packed and a link is a fault.
 *
 * Hidden names are matched like others: `*` includes them. An `exclude` that matches a directory
 * excludes everything below it.
 */
import { lstatSync, realpathSync, type Stats } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { errnoOf, ioError, tryIo } from "../../domain/io_errors.ts";
import { isWithin } from "../../domain/real_path.ts";
import {
  assertSameFolder,
  inputChanged,
  type InputFolder,
  statFolder,
  statInput,
} from "../../bundle/input_file.ts";
import { shown } from "../../domain/names.ts";
import { kindOf } from "../../bundle/source.ts";
import { globMatcher } from "../../config/glob.ts";
import type { FilesSource } from "../../config/profile.ts";

export interface Selection {
  /** Whether a file is packed; `path` is below the source, with `/`. */
  takes(path: string): boolean;
  /** Whether a directory is searched. */
  enters(path: string): boolean;
  /** The source by its real path, if links are followed. */
  root?: InputFolder;
}

/** @throws StellaError usage if links are to be followed and the source is missing */
export function selectionOf(source: FilesSource): Selection | undefined {
  const { include, exclude = [], follow = false, path } = source;
  if (include === undefined && exclude.length === 0 && !follow) return undefined;
  const included = include?.map(globMatcher);
  const excluded = exclude.flatMap((glob) => [glob, glob.replace(/(.)\/\*\*$/, "$1")]).map(
    globMatcher,
  );
  const left = (one: string) => excluded.some((matches) => matches(one));
  return {
    takes: (one) => (included?.some((matches) => matches(one)) ?? true) && !left(one),
    enters: (one) => !left(one),
    ...(follow
      ? { root: statFolder(tryIo("Cannot read the input", path, () => realpathSync(path))) }
      : {}),
  };
}

export interface Target {
  path: string;
  isFolder: boolean;
  /** The directory itself, or the one that contains the file. */
  folder: InputFolder;
}

/** A file or directory below the source, or what is wrong with the link. */
export type Followed = { target: Target } | { fault: string };

/**
 * @param root the source: nothing outside it is ever packed
 * @param chain real paths of the directories being walked
 */
export function followLink(link: string, root: InputFolder, chain: readonly string[]): Followed {
  let path: string;
  let stat: Stats;
  try {
    path = realpathSync(link);
    stat = lstatSync(path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT") return { fault: "it is a symbolic link to nothing" };
    if (code === "ELOOP") return { fault: "it is a symbolic link to itself" };
    throw ioError("Cannot follow the link", link, error);
  }
  if (!isWithin(path, root.path)) {
    return { fault: `it is a symbolic link that leaves the source, to ${shown(path)}` };
  }
  if (stat.isFile()) {
    return { target: { path, isFolder: false, folder: folderBelow(root, dirname(path)) } };
  }
  if (!stat.isDirectory()) return { fault: `it is a symbolic link to ${kindOf(stat)}` };
  if (chain.includes(path)) {
    return { fault: "it is a symbolic link to a directory that it lies in" };
  }
  return { target: { path, isFolder: true, folder: folderBelow(root, path) } };
}

/** The directory at `path`; no link below `root`, which may have come after resolving. */
function folderBelow(root: InputFolder, path: string): InputFolder {
  const parts = relative(root.path, path).split(sep).filter((one) => one !== "");
  return parts.reduce(enter, root);
}

/** The directory `name` of `parent`, not reached through a link. */
export function enter(parent: InputFolder, name: string): InputFolder {
  const path = join(parent.path, name);
  const { isDirectory, dev, ino } = statInput(path);
  if (!isDirectory) throw inputChanged(path);
  assertSameFolder(parent);
  return { path, dev, ino };
}

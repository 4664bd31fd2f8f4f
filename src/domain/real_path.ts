/** Paths on this machine that need not exist yet, and directories that hold others. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/** Resolves links in the existing part of `path`. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

/** Whether `path` is `directory` or below it; both are absolute and normalized. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(join(directory, sep));
}

/** `path`, its parent and so on; an absolute path ends with the root. */
export function* withAncestors(path: string): Generator<string> {
  yield path;
  if (dirname(path) !== path) yield* withAncestors(dirname(path));
}

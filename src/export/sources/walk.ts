/**
 * Walks the payload in bytewise order with one directory in memory at a time, so that a million
 * files cost no more than the largest directory. A directory sorts as `name/` (`a-b` comes before
 * `a/x`), so the depth-first order is that of whole paths.
 */
import { join } from "node:path";
import { type Finding, finding, StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";
import { carriedName } from "../../bundle/carried_names.ts";
import { caseCollisions } from "../../bundle/case_collisions.ts";
import { assertSameFolder, type InputFolder } from "../../bundle/input_file.ts";
import { shown } from "../../domain/names.ts";
import { comparePaths, pathFault } from "../../domain/paths.ts";
import { emptyFolder, type Folder, type Origin, prefixHint, type RealFolder } from "./inputs.ts";
import { enter, followLink, type Target } from "./selection.ts";

export interface WalkedFile {
  path: string;
  origin: Origin;
}

/** Called with everything that cannot be packed; the walk goes on, to report all at once. */
export type OnFault = (finding: Finding) => void;

export function walk(
  tree: Folder,
  onFault: OnFault,
  onEmpty: (path: string) => void = () => {},
): Generator<WalkedFile> {
  return walkFolder(tree, "", { onFault, onEmpty, linked: 0 });
}

interface Walk {
  onFault: OnFault;
  onEmpty: (path: string) => void;
  /** Directories reached through links so far. */
  linked: number;
}

/** Forty directories with two links each to the next one would give a billion files. */
const maxLinked = 10_000;

function* walkFolder(folder: Folder, prefix: string, going: Walk): Generator<WalkedFile> {
  const listing = list(folder, prefix, going);
  if (listing.isEmpty && prefix !== "") going.onEmpty(prefix);
  for (const key of listing.keys) {
    // A name that is not UTF-8 cannot be opened; checkNames has refused it.
    if (key.includes("\ufffd")) continue;
    if (key.endsWith("/")) {
      yield* walkFolder(listing.folder(key.slice(0, -1)), prefix + key, going);
    } else yield { path: prefix + key, origin: listing.origin(key) };
    assertSameFolders(folder);
  }
  assertSameFolders(folder);
}

function assertSameFolders({ real }: Folder): void {
  for (const { folder } of real) assertSameFolder(folder);
}

/**
 * `keys`: names in order, directories with a trailing slash; `isEmpty`: it has no entries at all,
 * not even excluded ones.
 */
function list(folder: Folder, prefix: string, going: Walk) {
  const from = new Map<string, Origin>(folder.files);
  const folders = new Map<string, Folder>(folder.folders);
  const keys = [...from.keys(), ...[...folders.keys()].map((name) => `${name}/`)];
  // A single local directory needs no map: its names are enough, and there may be a million.
  const lone = folder.real.length === 1 && keys.length === 0 ? folder.real[0] : undefined;
  let isEmpty = keys.length === 0;
  for (const real of folder.real) {
    for (const entry of readDirectory(real.folder)) {
      isEmpty = false;
      const found = look(real, entry, prefix, going);
      if (found === undefined) continue;
      const name = real.encodeNames === true ? carriedName(entry.name) : entry.name;
      const isPlain = lone !== undefined && found.target === undefined && name === entry.name;
      if (found.isFolder) {
        if (isPlain) keys.push(`${name}/`);
        else overlay(folders, keys, name, lower(real, entry.name, found.target));
      } else {
        keys.push(name);
        if (isPlain || from.has(name)) continue;
        from.set(name, originOf(real, entry.name, found.target));
      }
    }
  }
  sortKeys(keys);
  checkNames(keys, prefix, going.onFault);
  return {
    keys,
    isEmpty,
    folder: (name: string) => folders.get(name) ?? { ...emptyFolder(), real: [lower(lone!, name)] },
    origin: (name: string) => from.get(name) ?? originOf(lone!, name),
  };
}

function originOf(real: RealFolder, name: string, target?: Target): Origin {
  const { source, folder } = real;
  if (target !== undefined) return { source, file: target.path, folder: target.folder };
  return { source, file: join(folder.path, name), folder };
}

/** Checks that the names are those of the directory that was entered. */
function readDirectory(folder: InputFolder): Iterable<Deno.DirEntry> {
  const entries = tryIo("Cannot list", folder.path, () => Deno.readDirSync(folder.path));
  assertSameFolder(folder);
  return entries;
}

/** How an entry is packed; `target` is that of a followed link. */
interface Found {
  isFolder: boolean;
  target?: Target;
}

/** Undefined if it is excluded or a fault. */
function look(
  real: RealFolder,
  entry: Deno.DirEntry,
  prefix: string,
  going: Walk,
): Found | undefined {
  const { selection } = real;
  // Whatever it is, an excluded entry is not a fault.
  const isWanted = (isFolder: boolean) => {
    if (selection === undefined) return true;
    const below = real.below + entry.name;
    return isFolder ? selection.enters(below) : selection.takes(below);
  };
  if (entry.isFile || entry.isDirectory) {
    return isWanted(entry.isDirectory) ? { isFolder: entry.isDirectory } : undefined;
  }
  const root = entry.isSymlink ? selection?.root : undefined;
  if (root === undefined) {
    if (isWanted(false)) going.onFault(unsafeEntry(prefix + entry.name, entry.isSymlink));
    return undefined;
  }
  if (!isWanted(true)) return undefined;
  const followed = followLink(join(real.folder.path, entry.name), root, real.chain);
  if ("target" in followed) {
    const { isFolder } = followed.target;
    if (!isWanted(isFolder)) return undefined;
    if (isFolder && ++going.linked > maxLinked) throw tooManyLinked(prefix + entry.name);
    return { isFolder, target: followed.target };
  }
  if (isWanted(false)) going.onFault(notAFile(prefix + entry.name, followed.fault));
  return undefined;
}

function tooManyLinked(path: string): StellaError {
  const found = `links lead to more than ${maxLinked} directories, ${shown(path)} is one too many`;
  return new StellaError("unsafe_entry", `Cannot export: ${found}`, {
    hint: "leave links out with `exclude`, or pack the directories by themselves",
  });
}

function lower(real: RealFolder, name: string, target?: Target): RealFolder {
  const folder = target?.folder ?? enter(real.folder, name);
  if (real.selection === undefined) return { ...real, folder };
  const chain = [...real.chain, folder.path];
  return { ...real, folder, below: `${real.below}${name}/`, chain };
}

function overlay(
  folders: Map<string, Folder>,
  keys: string[],
  name: string,
  real: RealFolder,
): void {
  const known = folders.get(name);
  if (known === undefined) keys.push(`${name}/`);
  // A new object: the planned tree is walked twice and must not grow.
  const base = known ?? emptyFolder();
  folders.set(name, { ...base, real: [...base.real, real] });
}

function checkNames(keys: readonly string[], prefix: string, onFault: OnFault): void {
  const names = keys.map((key) => key.replace(/\/$/, ""));
  for (const name of names) {
    const fault = name === "-" && prefix !== "" ? undefined : pathFault(name);
    if (fault === undefined) continue;
    const found = `not every system can hold this name: ${fault}`;
    onFault(finding("unsafe_name", { path: prefix + name, found, hint: renameHint }));
  }
  for (const [name, other] of caseCollisions(names)) {
    const path = prefix + name;
    if (other === name) {
      const found = "two inputs have this name";
      onFault(finding("input_duplicate", { path, found, hint: prefixHint }));
    } else {
      const found = `it differs from ${other} only by case or Unicode form`;
      onFault(finding("case_collision", { path, found, hint: renameHint }));
    }
  }
}

export const renameHint = "rename it, or leave it out";

function unsafeEntry(path: string, isLink: boolean): Finding {
  if (!isLink) return notAFile(path, "it is a device, pipe or socket");
  const hint = "keep a copy of what it leads to with --follow, or leave it out with --exclude";
  return { ...notAFile(path, "it is a symbolic link"), hint };
}

function notAFile(path: string, found: string): Finding {
  const hint = "put the file itself there, or leave it out with --exclude";
  return finding("unsafe_entry", { path, found, hint });
}

/** Up to U+D7FF JavaScript's own order is bytewise, and much faster. */
function sortKeys(keys: string[]): void {
  if (keys.some((key) => /[\ud800-\uffff]/.test(key))) keys.sort(comparePaths);
  else keys.sort();
}

/**
 * The payload in bytewise order, one directory in memory at a time, so that a million files cost no more than the largest directory.
 * A directory sorts as `name/` (`a-b` stands before `a/x`), which makes the depth-first walk the order of whole paths.
 */
import { join } from "node:path";
import { type Finding, ioError } from "../errors.ts";
import { comparePaths, folded, pathFault } from "../bundle/paths.ts";
import { emptyFolder, type Folder, type Origin } from "./inputs.ts";

export interface WalkedFile {
  path: string;
  origin: Origin;
}

/** Told of everything that cannot be packed; the walk goes on, so that all faults are known at once. */
export type OnFault = (finding: Finding) => void;

export function* walk(
  folder: Folder,
  onFault: OnFault,
  onEmpty: (path: string) => void = () => {},
  prefix = "",
): Generator<WalkedFile> {
  const listing = list(folder, prefix, onFault);
  if (listing.keys.length === 0 && prefix !== "") onEmpty(prefix);
  for (const key of listing.keys) {
    // A name that is no UTF-8 cannot be opened by what the system made of it; checkNames has refused it.
    if (key.includes("\ufffd")) continue;
    if (key.endsWith("/")) {
      yield* walk(listing.folder(key.slice(0, -1)), onFault, onEmpty, prefix + key);
    } else yield { path: prefix + key, origin: listing.origin(key) };
  }
}

interface Listing {
  /** Names in order, directories with a slash at the end. */
  keys: string[];
  folder(name: string): Folder;
  origin(name: string): Origin;
}

function list(folder: Folder, prefix: string, onFault: OnFault): Listing {
  const from = new Map<string, Origin>(folder.files);
  const folders = new Map<string, Folder>(folder.folders);
  const keys = [...from.keys(), ...[...folders.keys()].map((name) => `${name}/`)];
  // A lone real directory needs no map: its names are enough, and there may be a million.
  const lone = folder.real.length === 1 && keys.length === 0 ? folder.real[0] : undefined;
  for (const real of folder.real) {
    for (const entry of readDirectory(real.path)) {
      const path = join(real.path, entry.name);
      if (entry.isDirectory) {
        if (lone === undefined) overlay(folders, keys, entry.name, path, real.source);
        else keys.push(`${entry.name}/`);
      } else if (!entry.isFile) {
        onFault(notAFile(prefix + entry.name, entry.isSymlink));
      } else {
        keys.push(entry.name);
        if (lone === undefined && !from.has(entry.name)) {
          from.set(entry.name, { source: real.source, file: path });
        }
      }
    }
  }
  // Sorted first: the order of a directory must not decide which of two twins is named.
  sortKeys(keys);
  checkNames(keys, prefix, onFault);
  return {
    keys,
    folder: (name) => folders.get(name) ?? lower(lone!, name),
    origin: (name) => from.get(name) ?? { source: lone!.source, file: join(lone!.path, name) },
  };
}

function readDirectory(path: string): Iterable<Deno.DirEntry> {
  try {
    return Deno.readDirSync(path);
  } catch (error) {
    throw ioError("Cannot list", path, error);
  }
}

function lower(real: { path: string; source: number }, name: string): Folder {
  return { ...emptyFolder(), real: [{ path: join(real.path, name), source: real.source }] };
}

function overlay(
  folders: Map<string, Folder>,
  keys: string[],
  name: string,
  path: string,
  source: number,
): void {
  const known = folders.get(name);
  if (known === undefined) keys.push(`${name}/`);
  // A new object: the planned tree is walked twice and must not grow.
  const base = known ?? emptyFolder();
  folders.set(name, { ...base, real: [...base.real, { path, source }] });
}

function checkNames(keys: string[], prefix: string, onFault: OnFault): void {
  const seen = new Map<string, string>();
  for (const key of keys) {
    const name = key.replace(/\/$/, "");
    const fault = name === "-" && prefix !== "" ? undefined : pathFault(name);
    if (fault !== undefined) onFault(unsafeName(prefix + name, `it cannot be carried: ${fault}`));
    const twin = seen.get(folded(name));
    if (twin !== undefined) {
      onFault(
        unsafeName(
          prefix + name,
          twin === name
            ? "two inputs have this name"
            : `it cannot stand beside ${twin} where case or form does not count`,
        ),
      );
    }
    seen.set(folded(name), name);
  }
}

function unsafeName(path: string, found: string): Finding {
  return { code: "unsafe", reason: "unsafe_name", path, found, hint: "rename it, or leave it out" };
}

function notAFile(path: string, link: boolean): Finding {
  return {
    code: "unsafe",
    reason: "unsafe_entry",
    path,
    found: link ? "it is a symbolic link" : "it is a device, pipe or socket",
    hint: "only regular files are packed: put the file itself there, or leave it out",
  };
}

/** Up to U+D7FF JavaScript's own order is the bytewise one, and much faster. */
function sortKeys(keys: string[]): string[] {
  return keys.some((key) => /[\ud800-\uffff]/.test(key)) ? keys.sort(comparePaths) : keys.sort();
}

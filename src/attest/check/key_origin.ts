/**
 * Compares the location of a key with that of a bundle: whoever made the bundle could have put a
 * key beside it, or anywhere on its medium. Paths are not enough, so devices and inodes are
 * compared: a bind mount, an overlay or a hard link is another name of the same file. Media are
 * told apart by device number (st_dev); subvolumes of a btrfs and partitions of a stick count as
 * separate.
 */
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, parse, resolve, sep } from "node:path";
import { shown } from "../../domain/names.ts";
import { maxDirectoryBytes } from "../../bundle/source.ts";
import { StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";
import { isWithin, withAncestors } from "../../domain/real_path.ts";

/** Large, and described by the index alone: nobody looks for a key there. */
const payload = "payload";

/**
 * Refuses keys that came with the bundle: a path in or below its directory under any name, or on
 * its medium, or a path that leads there through any link, because such a link decides which key is
 * trusted.
 * @param machine paths on this machine: a device that holds one of them is not removable media
 * @throws StellaError usage, io
 */
export function refuseTrustFromMedia(
  trustPath: string,
  bundleDirectory: string,
  machine: readonly string[],
): void {
  const bundle = real(bundleDirectory);
  const places = [real(trustPath), ...linksOf(trustPath)];
  if (places.some((path) => isIn(path, bundle))) throw refused(trustPath, inDirectory);
  const device = lstatSync(bundle).dev;
  if (holds(machine, device)) return;
  if (places.some((path) => lstatSync(path).dev === device)) throw refused(trustPath, onMedium);
}

/**
 * The same for the opened file, wherever its path leads. @throws StellaError usage, io
 * @param max size of a directory that is searched, in bytes
 */
export function refuseOpenedFromMedia(
  trustPath: string,
  opened: Stats,
  bundleDirectory: string,
  machine: readonly string[],
  max = maxDirectoryBytes,
): void {
  const bundle = real(bundleDirectory);
  const found = liesBelow(bundle, opened, max);
  if (found === undefined) {
    throw refused(trustPath, "the bundle's directory has too many files to compare it with");
  }
  if (found) throw refused(trustPath, inDirectory);
  const device = lstatSync(bundle).dev;
  if (opened.dev === device && !holds(machine, device)) throw refused(trustPath, onMedium);
}

const inDirectory = "it is in the bundle's own directory";
const onMedium = "it is on the bundle's own medium";

function refused(trustPath: string, reason: string): StellaError {
  return new StellaError("trust_from_medium", `Cannot trust ${shown(trustPath)}: ${reason}`, {
    hint: "get the key separately from the bundle, or accept it with --trust-from-media",
  });
}

function real(path: string): string {
  return tryIo("Cannot look for", path, () => realpathSync(path));
}

/** By path, or because a directory above it is the bundle's directory under another name. */
function isIn(path: string, bundle: string): boolean {
  if (isWithin(path, bundle)) return true;
  const { dev, ino } = lstatSync(bundle);
  return withAncestors(path).map((above) => lstatSync(above))
    .some((stat) => stat.dev === dev && stat.ino === ino);
}

/** Whether the device holds one of these paths, or will once it is created. */
function holds(machine: readonly string[], device: number): boolean {
  return machine.some((place) => {
    const there = withAncestors(resolve(place)).map(statusOf).find((stat) => stat !== undefined);
    return there?.dev === device;
  });
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Whether the file is one in the bundle's directory. The payload is searched only if the file has
 * several links. Undefined if a directory is too large to list and the file has several links: a
 * file with one link is elsewhere, unless the same directory is mounted twice.
 */
function liesBelow(bundle: string, file: Stats, max: number): boolean | undefined {
  const folders = [bundle];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (lstatSync(folder).size > max) return file.nlink > 1 ? undefined : false;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const isPayload = folder === bundle && entry.name === payload;
      if (entry.isDirectory() && (!isPayload || file.nlink > 1)) folders.push(path);
      if (entry.isFile() && isSame(lstatSync(path, { throwIfNoEntry: false }), file)) return true;
    }
  }
  return false;
}

/** An overlay has a device of its own, and inodes and times of its lower directory. */
function isSame(one: Stats | undefined, other: Stats): boolean {
  if (one === undefined || one.ino !== other.ino) return false;
  return one.dev === other.dev ||
    (one.size === other.size && one.mtimeMs === other.mtimeMs && one.mode === other.mode);
}

/** Linux follows no more links than that. */
const maxLinks = 40;

/** The links that a path passes through, each with its real directory. */
function linksOf(path: string): string[] {
  const links: string[] = [];
  let { root: real } = parse(resolve(path));
  const rest = partsOf(resolve(path));
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      real = dirname(real);
      continue;
    }
    const place = join(real, part);
    if (!lstatSync(place).isSymbolicLink()) {
      real = place;
      continue;
    }
    links.push(place);
    if (links.length > maxLinks) throw new Error(`${path} has too many links`);
    const target = readlinkSync(place);
    if (isAbsolute(target)) real = parse(target).root;
    rest.unshift(...partsOf(target));
  }
  return links;
}

function partsOf(path: string): string[] {
  return path.slice(parse(path).root.length).split(sep).filter((part) =>
    part !== "" && part !== "."
  );
}

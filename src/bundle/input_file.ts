/**
 * Files of the inputs on their way into a bundle. Each is looked at by its path, without following
 * a link, opened, read once and compared again. What is not the same file in the same directory,
 * with the same size and time, is an error: never a bundle that differs from its source.
 *
 * Whoever may write in a source can exchange a directory of it for a link between any two of our
 * calls, and Deno has no openat. So the directory's device and inode are compared before a file is
 * opened and after its last byte was read; to slip through, an exchange has to be made and undone
 * several times between these. What holds without any timing: a handle whose device and inode are
 * those of a private file of ours is never read.
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { ioError, StellaError } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import type { PrivateFiles } from "./private_files.ts";
import { openToRead } from "../domain/regular_file.ts";

/**
 * A directory as it was when it was entered. Its identity by its whole path stands for all
 * directories above it.
 */
export interface InputFolder {
  path: string;
  dev: number;
  ino: number | null;
}

/** A regular file as it was when it was looked at. */
export interface InputFile {
  path: string;
  size: number;
  /** Milliseconds since 1970. */
  mtime: number;
  dev: number;
  ino: number | null;
  /** The directory that it lies in. */
  folder: InputFolder;
}

/** Room in a chunk for the whole of a file that is read later. */
export interface DeferredRegion extends InputFile {
  /** Where it begins. */
  at: number;
}

/** What lies at `path`; a link is not followed. @throws StellaError usage, media */
export function statInput(path: string): Deno.FileInfo {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    throw ioError("Cannot look at", path, error);
  }
}

export function asInput(
  path: string,
  { size, mtime, dev, ino }: Deno.FileInfo,
  folder: InputFolder,
): InputFile {
  return { path, size, mtime: mtime?.getTime() ?? 0, dev, ino, folder };
}

/**
 * The directory at `path`, which may be reached through links.
 * @throws StellaError usage where it is none, media
 */
export function statFolder(path: string): InputFolder {
  const stat = folderStatus(path);
  if (!stat.isDirectory) throw inputChanged(path);
  return { path, dev: stat.dev, ino: stat.ino };
}

/** @throws StellaError usage where another directory, or a link to another one, took its place */
export function assertSameFolder(folder: InputFolder): void {
  const stat = folderStatus(folder.path);
  const isSame = stat.isDirectory && stat.dev === folder.dev && stat.ino === folder.ino;
  if (!isSame) throw inputChanged(folder.path);
}

function folderStatus(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    throw ioError("Cannot look at", path, error);
  }
}

/** An input that is open and is the file that was seen. */
export interface OpenInput {
  /** As many bytes as come at once; 0 at the end. @throws StellaError usage, media */
  read(view: Uint8Array): number;
  /**
   * To be called after the last byte, and before the first one where reading takes a while.
   * @throws StellaError usage where it is no longer what was seen, and where
   */
  assertSame(): void;
  close(): void;
}

/**
 * @throws StellaError usage where it is not what was seen, unsafe where it is a private file, media
 */
export function openInput(seen: InputFile, privateFiles: PrivateFiles): OpenInput {
  assertSameFolder(seen.folder);
  const fd = openUnchanged(seen, privateFiles);
  return {
    read: (view) => readInput(fd, view, seen.path),
    assertSame: () => {
      assertSamePath(seen);
      assertSameFolder(seen.folder);
    },
    close: () => closeSync(fd),
  };
}

/**
 * Reads files into their holes, in order.
 * @returns the sha256 of each
 * @throws StellaError usage where one changed, unsafe where one is a private file, media
 */
export function fillDeferredRegions(
  chunk: Uint8Array,
  regions: readonly DeferredRegion[],
  privateFiles: PrivateFiles,
): string[] {
  return regions.map((region) => {
    const view = chunk.subarray(region.at, region.at + region.size);
    readWhole(view, region, privateFiles);
    return sha256(view);
  });
}

/**
 * Reads a small file as a whole into `view`, which has its size. One look at the handle, after the
 * read: two would cost as much as the read. Opening it and looking at its path lie each between two
 * looks at its directory. What is refused does not stay in the view.
 * @throws StellaError usage where it changed, unsafe where it is a private file, media
 */
export function readWhole(view: Uint8Array, seen: InputFile, privateFiles: PrivateFiles): void {
  assertSameFolder(seen.folder);
  const fd = openFile(seen.path);
  let isRight = false;
  try {
    for (let filled = 0; filled < view.length;) {
      const n = readInput(fd, filled === 0 ? view : view.subarray(filled), seen.path);
      if (n === 0) break;
      filled += n;
    }
    assertHandle(fd, seen, privateFiles);
    assertSameFolder(seen.folder);
    assertSamePath(seen);
    assertSameFolder(seen.folder);
    isRight = true;
  } finally {
    if (!isRight) view.fill(0);
    closeSync(fd);
  }
}

function openUnchanged(seen: InputFile, privateFiles: PrivateFiles): number {
  const fd = openFile(seen.path);
  try {
    assertHandle(fd, seen, privateFiles);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFile(path: string): number {
  try {
    return openToRead(path);
  } catch (error) {
    throw ioError("Cannot open", path, error);
  }
}

function assertHandle(fd: number, seen: InputFile, privateFiles: PrivateFiles): void {
  const stat = fstatSync(fd);
  if (privateFiles.has({ dev: stat.dev, ino: stat.ino, changed: stat.ctimeMs })) {
    throw privateInput(seen.path);
  }
  const isSame = stat.isFile() && stat.dev === seen.dev && stat.ino === seen.ino &&
    stat.size === seen.size && Math.trunc(stat.mtimeMs) === seen.mtime;
  if (!isSame) throw inputChanged(seen.path);
}

/**
 * The handle was the file that was seen; its path leads to it still, so what the path says of it
 * holds for the handle.
 */
function assertSamePath(seen: InputFile): void {
  const stat = statInput(seen.path);
  const isSame = stat.isFile && stat.dev === seen.dev && stat.ino === seen.ino &&
    stat.size === seen.size && (stat.mtime?.getTime() ?? 0) === seen.mtime;
  if (!isSame) throw inputChanged(seen.path);
}

function readInput(fd: number, view: Uint8Array, path: string): number {
  try {
    return readSync(fd, view);
  } catch (error) {
    throw ioError("Cannot read", path, error);
  }
}

export function inputChanged(path: string): StellaError {
  return inputsChanged(`${shown(path)} is not what it was when the export began`);
}

/** @param what which, and how */
export function inputsChanged(what: string): StellaError {
  return new StellaError(
    "usage",
    `Cannot export: the inputs changed while they were read: ${what}`,
    { hint: "export a snapshot, or run it again when nothing writes there" },
  );
}

/** Why a private file or directory is not packed, in words. */
export const privateReason = "it is private to stella: a key, a credential or a part of its state";

export function privateInput(path: string): StellaError {
  return new StellaError("unsafe", `Cannot pack ${shown(path)}: ${privateReason}`, {
    hint: "leave it out of the inputs, with --exclude where it lies in a directory",
  });
}

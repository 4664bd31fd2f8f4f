/**
 * Reads input files into a bundle. Each file is examined by lstat, opened, read once and compared
 * again. If it is not the same file in the same directory with the same size and time, the export
 * fails: a bundle never differs from its source.
 *
 * Whoever can write to a source can exchange a directory for a link between any two calls, and Deno
 * has no openat. So the directory's device and inode are compared before a file is opened and after
 * its last byte was read; to go unnoticed, an exchange has to be made and undone several times in
 * between. One guarantee needs no timing: a handle with the device and inode of a private file is
 * never read.
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { sha256 } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import type { PrivateFiles } from "./private_files.ts";
import { openToRead } from "../domain/regular_file.ts";

/** A directory as the walk entered it; its identity covers all directories above it. */
export interface InputFolder {
  path: string;
  dev: number;
  ino: number | null;
}

/** A regular file as lstat found it. */
export interface InputFile {
  path: string;
  size: number;
  /** Milliseconds since 1970. */
  mtime: number;
  dev: number;
  ino: number | null;
  /** Its directory. */
  folder: InputFolder;
}

/** Space reserved in a chunk for a file that is read later. */
export interface DeferredRegion extends InputFile {
  /** Offset in the chunk. */
  at: number;
}

/** lstat of `path`. @throws StellaError io */
export function statInput(path: string): Deno.FileInfo {
  return tryIo("Cannot look at", path, () => Deno.lstatSync(path));
}

export function asInput(
  path: string,
  { size, mtime, dev, ino }: Deno.FileInfo,
  folder: InputFolder,
): InputFile {
  return { path, size, mtime: mtime?.getTime() ?? 0, dev, ino, folder };
}

/** A directory, perhaps reached by links. @throws StellaError conflict if it is none, io */
export function statFolder(path: string): InputFolder {
  const stat = tryIo("Cannot look at", path, () => Deno.statSync(path));
  if (!stat.isDirectory) throw inputChanged(path);
  return { path, dev: stat.dev, ino: stat.ino };
}

/** @throws StellaError conflict if another directory, or a link to one, took its place */
export function assertSameFolder({ path, dev, ino }: InputFolder): void {
  const now = statFolder(path);
  if (now.dev !== dev || now.ino !== ino) throw inputChanged(path);
}

/** An open input, verified to be the expected file. */
export interface OpenInput {
  /** Reads what is available; 0 at the end. @throws StellaError io */
  read(view: Uint8Array): number;
  /**
   * Call it after the last byte, and before the first if reading takes long.
   * @throws StellaError conflict if the file or its directory changed
   */
  assertSame(): void;
  close(): void;
}

/** @throws StellaError conflict if the file changed, unsafe if it is a private file, io */
export function openInput(seen: InputFile, privateFiles: PrivateFiles): OpenInput {
  assertSameFolder(seen.folder);
  const fd = openFile(seen.path);
  try {
    assertHandle(fd, seen, privateFiles);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
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
 * Reads files into their regions, in order; returns the SHA-256 of each.
 * @throws StellaError conflict if one changed, unsafe if one is a private file, io
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
 * Reads a whole small file into `view`, which has its size. The handle is checked once, after the
 * read: twice would cost as much as the read. Opening the file and checking its path both lie
 * between two checks of its directory. Refused content is wiped from the view.
 * @throws StellaError conflict if it changed, unsafe if it is a private file, io
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

function openFile(path: string): number {
  return tryIo("Cannot open", path, () => openToRead(path));
}

function readInput(fd: number, view: Uint8Array, path: string): number {
  return tryIo("Cannot read", path, () => readSync(fd, view));
}

function assertHandle(fd: number, seen: InputFile, privateFiles: PrivateFiles): void {
  const stat = fstatSync(fd);
  const { dev, ino, size } = stat;
  if (privateFiles.has({ dev, ino, changed: stat.ctimeMs })) throw privateInput(seen.path);
  assertUnchanged(seen, stat.isFile(), { dev, ino, size, mtime: Math.trunc(stat.mtimeMs) });
}

/** What lstat says of the path holds for the handle, if the path still leads to it. */
function assertSamePath(seen: InputFile): void {
  const stat = statInput(seen.path);
  assertUnchanged(seen, stat.isFile, asInput(seen.path, stat, seen.folder));
}

function assertUnchanged(
  seen: InputFile,
  isFile: boolean,
  { dev, ino, size, mtime }: Pick<InputFile, "dev" | "ino" | "size" | "mtime">,
): void {
  const isSame = isFile && dev === seen.dev && ino === seen.ino && size === seen.size &&
    mtime === seen.mtime;
  if (!isSame) throw inputChanged(seen.path);
}

export function inputChanged(path: string): StellaError {
  return inputsChanged(`${shown(path)} is not what it was when the export began`);
}

/** @param what which inputs, and how they changed */
export function inputsChanged(what: string): StellaError {
  return new StellaError(
    "inputs_changed",
    `Cannot export: the inputs changed while they were read: ${what}`,
    { hint: "export a snapshot, or run it again when nothing writes there" },
  );
}

/** Why a private file or directory is not packed. */
export const privateReason = "it is private to stella: a key, a credential or a part of its state";

export function privateInput(path: string): StellaError {
  return new StellaError("private_file", `Cannot pack ${shown(path)}: ${privateReason}`, {
    hint: "leave it out of the inputs, for example with --exclude",
  });
}

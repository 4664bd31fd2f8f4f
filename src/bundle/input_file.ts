/**
 * Files of the inputs on their way into a bundle: each is looked at by its path, without following a link, opened, read once and
 * looked at again through what was opened. What is not the same file with the same size and time is an error: never a bundle
 * that differs from its source, and nothing of a file that a link put in its place.
 */
import { ioError, StellaError } from "../errors.ts";
import { sha256 } from "./hash.ts";
import { shown } from "./names.ts";

/** A regular file as it was when it was looked at. */
export interface InputFile {
  path: string;
  size: number;
  /** Milliseconds since 1970. */
  mtime: number;
  dev: number;
  ino: number | null;
}

/** Room in a chunk for the whole of a file that is read later. */
export interface Hole extends InputFile {
  /** Where it begins. */
  at: number;
}

/** What lies at `path`; a link is not followed. @throws StellaError usage, media */
export function lookAt(path: string): Deno.FileInfo {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    throw ioError("Cannot look at", path, error);
  }
}

export function asInput(path: string, { size, mtime, dev, ino }: Deno.FileInfo): InputFile {
  return { path, size, mtime: mtime?.getTime() ?? 0, dev, ino };
}

/** @throws StellaError usage, media */
export function openInput(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path);
  } catch (error) {
    throw ioError("Cannot open", path, error);
  }
}

/** As many bytes as come at once; 0 at the end. @throws StellaError usage, media */
export function readInput(file: Deno.FsFile, view: Uint8Array, path: string): number {
  try {
    return file.readSync(view) ?? 0;
  } catch (error) {
    throw ioError("Cannot read", path, error);
  }
}

/** To be called once it was read. @throws StellaError usage where `file` is not what was seen, or no longer as it was */
export function assertSame(file: Deno.FsFile, seen: InputFile): void {
  const stat = file.statSync();
  const now = asInput(seen.path, stat);
  const isSame = stat.isFile && now.dev === seen.dev && now.ino === seen.ino &&
    now.size === seen.size && now.mtime === seen.mtime;
  if (!isSame) throw inputChanged(seen.path);
}

/** Reads the file into its hole. @returns its sha256 @throws StellaError usage where it changed, media */
export function fillHole(chunk: Uint8Array, hole: Hole): string {
  const view = chunk.subarray(hole.at, hole.at + hole.size);
  const file = openInput(hole.path);
  try {
    for (let filled = 0; filled < view.length;) {
      const n = readInput(file, view.subarray(filled), hole.path);
      if (n === 0) throw inputChanged(hole.path);
      filled += n;
    }
    assertSame(file, hole);
  } finally {
    file.close();
  }
  return sha256(view);
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

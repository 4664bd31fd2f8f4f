/**
 * Output files named on the command line. Links are never followed, and only regular files are
 * opened or replaced. As another process could exchange an entry, an opened file is compared with
 * the earlier lstat, and a file is replaced by a rename.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  rmSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { rename, syncDirectory, writeAll } from "../domain/durable.ts";
import { shown } from "../domain/names.ts";
import { kindOf } from "../bundle/source.ts";

/**
 * The regular file at `path`; undefined if nothing is there.
 * @throws StellaError conflict if it is anything else
 */
export function regularFileAt(path: string): Stats | undefined {
  const stat = lookAt(path);
  if (stat === undefined || stat.isFile()) return stat;
  throw new StellaError("output_exists", `Cannot write ${shown(path)}: it is ${kindOf(stat)}`, {
    hint: "name another file, or remove this one",
  });
}

/**
 * @throws StellaError conflict if `path` is a link or anything else but a directory; a missing path
 * is fine
 */
export function refuseNoDirectory(path: string): void {
  const stat = lookAt(path);
  if (stat === undefined || stat.isDirectory()) return;
  throw new StellaError(
    "output_exists",
    `Cannot write into ${shown(path)}: it is ${kindOf(stat)}`,
    { hint: "name another directory, or remove this file" },
  );
}

/**
 * Opens a file for reading and writing, creating it if it is missing.
 * @param mode of a new file, regardless of the umask
 * @throws StellaError conflict, io
 */
export function openNamed(path: string, mode: number, append = false): number {
  const seen = regularFileAt(path);
  const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NONBLOCK } = constants;
  const flags = O_RDWR | O_NONBLOCK | (append ? O_APPEND : 0) |
    (seen === undefined ? O_CREAT | O_EXCL : 0);
  const fd = tryIo("Cannot write", path, () => openSync(path, flags, mode));
  if (seen === undefined) tryIo("Cannot set the mode of", path, () => fchmodSync(fd, mode));
  const now = fstatSync(fd);
  if (seen === undefined || (now.dev === seen.dev && now.ino === seen.ino)) return fd;
  closeSync(fd);
  const text = `Cannot write ${shown(path)}: it changed while it was opened`;
  throw new StellaError("output_exists", text, { hint: "find out what else writes this file" });
}

/**
 * Replaces or creates a file atomically.
 * @param mode of a new file, regardless of the umask; an existing file keeps its mode
 * @param uuid names the file until it is complete
 * @throws StellaError conflict, io
 */
export function replaceFile(path: string, bytes: Uint8Array, mode: number, uuid: string): void {
  const seen = regularFileAt(path);
  const beside = `${path}.${uuid}.tmp`;
  const fd = tryIo("Cannot write", path, () => openSync(beside, "wx", mode));
  try {
    try {
      tryIo("Cannot write", path, () => {
        fchmodSync(fd, seen === undefined ? mode : seen.mode & 0o777);
        writeAll(fd, bytes);
        fsyncSync(fd);
      });
    } finally {
      closeSync(fd);
    }
    rename(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function lookAt(path: string): Stats | undefined {
  return tryIo("Cannot look at", path, () => lstatSync(path, { throwIfNoEntry: false }));
}

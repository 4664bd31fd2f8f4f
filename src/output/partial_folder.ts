/**
 * The folder `.stella-<uuid>.partial/` inside an output directory: everything is written there and
 * renamed into place at the end. It stays locked while its process runs, so the next run can tell a
 * killed one from one that is still at work.
 *
 * On removable media anybody may have planted such a folder: no link is followed.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../domain/durable.ts";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { shown } from "../domain/names.ts";

export const lockName = "lock";
/** Holds the names that a commit is about to rename into place. */
export const commitRecordName = "names";
const pattern = /^\.stella-[0-9a-f-]{36}\.partial$/;

export function isPartialName(name: string): boolean {
  return pattern.test(name);
}

/** What a run does in the directory, for the message if another one is at work there. */
export interface Activity {
  /** `Cannot unpack into`. */
  action: string;
  /** `another unpack`. */
  other: string;
}

export class PartialFolder {
  readonly path: string;
  readonly #lock: Deno.FsFile;

  /**
   * Creates the folder, its parents, and locks it.
   * @throws StellaError busy if it is locked, io
   */
  constructor(readonly directory: string, uuid: string, readonly activity: Activity) {
    this.path = join(directory, `.stella-${uuid}.partial`);
    makeDirectories(directory);
    makeFolder(this.path, { recursive: true });
    this.#lock = this.#locked(this.path);
  }

  /**
   * Removes the folders of runs that have ended, each after `recover`.
   * @throws StellaError busy if another run is at work
   */
  clearOthers(recover: (folder: string) => void = () => {}): void {
    for (const name of readdirSync(this.directory).filter(isPartialName)) {
      const folder = join(this.directory, name);
      if (folder === this.path || !isDirectory(folder)) continue;
      const lock = this.#locked(folder);
      try {
        recover(folder);
        clear(folder);
      } finally {
        lock.close();
      }
    }
  }

  /** Removes the folder unless it is needed to recover the directory, and unlocks it. */
  close(isNeeded = false): void {
    try {
      if (!isNeeded) clear(this.path);
    } finally {
      this.#lock.close();
    }
  }

  #locked(folder: string): Deno.FsFile {
    const path = join(folder, lockName);
    const file = tryIo("Cannot lock", folder, () => {
      if (lstatIfThere(path)?.isFile() === false) remove(path);
      // Opening a FIFO for reading and writing never blocks (Linux, fifo(7)): somebody may put one
      // there at any time.
      return Deno.openSync(path, { create: true, read: true, write: true });
    });
    if (file.tryLockSync(true)) return file;
    file.close();
    const { action, other } = this.activity;
    const text = `${action} ${shown(this.directory)}: ${other} is running there`;
    throw new StellaError("directory_held", text, {
      hint: "wait until it has ended, or choose another directory",
    });
  }
}

/** The commit record goes first: a kill in between must not look like an interrupted commit. */
function clear(folder: string): void {
  remove(join(folder, commitRecordName));
  remove(folder);
}

/** Mode 0755 regardless of the umask. */
export function makeFolder(path: string, options: { recursive?: boolean } = {}): void {
  tryIo("Cannot make the directory", path, () => {
    mkdirSync(path, options);
    chmodSync(path, 0o755);
  });
}

/** lstat of `path`, dangling links included; undefined if nothing is there. */
export function lstatIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

export function isDirectory(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() === true;
}

/** Removes a file, a link, or a folder with its contents; a missing path is not an error. */
export function remove(path: string): void {
  tryIo("Cannot remove", path, () => rmSync(path, { recursive: true, force: true }));
}

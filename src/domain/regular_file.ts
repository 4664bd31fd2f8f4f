/**
 * Opens files that other processes may exchange. Opening a FIFO blocks until somebody writes, in a
 * call that no signal interrupts, so everything is opened with O_NONBLOCK, which does not affect
 * regular files, and checked by fstat.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { StellaError } from "./errors.ts";
import { tryIo } from "./io_errors.ts";
import { shown } from "./names.ts";

// Windows has no such flag, and no FIFOs in its directories.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A descriptor of whatever is at `path`; links are followed. Throws the system's error. */
export function openToRead(path: string): number {
  return openSync(path, flags);
}

/**
 * Reads a small regular file once.
 * @param action for messages, such as `Cannot read the key`
 * @param max size in bytes
 * @param check examines the opened file @throws to refuse it
 * @throws StellaError io, for another kind of file and for a larger one too
 */
export function readRegular(
  action: string,
  path: string,
  max: number,
  check: (stat: Stats) => void = () => {},
): Uint8Array {
  return tryIo(action, path, () => {
    const fd = openToRead(path);
    try {
      const stat = fstatSync(fd);
      if (stat.isDirectory()) throw Object.assign(new Error("a directory"), { code: "EISDIR" });
      if (!stat.isFile()) throw refused(action, path, "it is not a regular file");
      check(stat);
      const bytes = readAll(fd, max + 1);
      if (bytes.length <= max) return bytes;
      throw refused(action, path, `it has more than ${max} bytes`);
    } finally {
      closeSync(fd);
    }
  });
}

/**
 * As `readRegular`, for a file that only its owner may read.
 * @param what for messages, such as `the key`
 */
export function readPrivateFile(
  what: string,
  path: string,
  max: number,
  check: (stat: Stats) => void = () => {},
): Uint8Array {
  return readRegular(`Cannot read ${what}`, path, max, (stat) => {
    check(stat);
    // systemd gives a service its credentials by an access list, which looks like group access.
    const others = path.startsWith("/run/credentials/") ? 0o037 : 0o077;
    if ((stat.mode & others) === 0) return;
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    const found = `others can read the file (mode ${mode})`;
    throw new StellaError("file_exposed", `Cannot use ${what} ${shown(path)}: ${found}`, {
      hint: `run: chmod 600 ${path}`,
    });
  });
}

/** Reads up to `max` bytes. */
function readAll(fd: number, max: number): Uint8Array {
  const bytes = new Uint8Array(max);
  let length = 0;
  while (length < max) {
    const count = readSync(fd, bytes, length, max - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function refused(action: string, path: string, reason: string): StellaError {
  return new StellaError("path_unusable", `${action} ${shown(path)}: ${reason}`, {
    hint: "name a regular file of a reasonable size",
  });
}

/**
 * Opening files that somebody else may exchange. To open a pipe waits for whoever writes into it,
 * in a call that no signal ends, so everything is opened with O_NONBLOCK, which changes nothing for
 * a regular file, and looked at through what was opened.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { ioError, StellaError } from "./errors.ts";
import { shown } from "./names.ts";

// Windows has no such flag, and no such pipes in its directories.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A descriptor of whatever is at `path`; links are followed. Throws what the system says. */
export function openToRead(path: string): number {
  return openSync(path, flags);
}

/**
 * The bytes of a small regular file, read once.
 * @param action for messages, such as `Cannot read the key`
 * @param most bytes that it may have
 * @param check looks at the very file that is then read @throws to refuse it
 * @throws StellaError usage where it is no such file, media
 */
export function readRegular(
  action: string,
  path: string,
  max: number,
  check: (stat: Stats) => void = () => {},
): Uint8Array {
  try {
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
  } catch (error) {
    throw error instanceof StellaError ? error : ioError(action, path, error);
  }
}

/** Up to `max` bytes. */
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
  return new StellaError("usage", `${action} ${shown(path)}: ${reason}`);
}

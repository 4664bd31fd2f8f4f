/** Durable writes: a file is synced before it gets its name, and its directory afterwards. */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { errnoOf, ioError, tryIo } from "./io_errors.ts";

/** Writes all of `bytes`, in as many calls as needed. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at, bytes.length - at);
}

/**
 * Creates a file with exactly this mode regardless of the umask, and syncs it; an existing file is
 * never touched and no partial file remains.
 * @throws StellaError io, usage
 */
export function writeNew(path: string, content: Uint8Array | string, mode: number): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  appendNew(path, mode, (write) => write(bytes));
}

/** Like writeNew, for content in pieces. @throws StellaError io, usage; and the errors of `fill` */
export function appendNew(
  path: string,
  mode: number,
  fill: (write: (bytes: Uint8Array) => void) => void,
): void {
  const fd = tryIo("Cannot make", path, () => openSync(path, "wx", mode));
  try {
    tryIo("Cannot write", path, () => {
      fchmodSync(fd, mode);
      fill((bytes) => writeAll(fd, bytes));
      fsyncSync(fd);
    });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/**
 * Creates a directory and its missing parents, mode 0755 regardless of the umask, durably. Existing
 * directories are left unchanged.
 * @throws StellaError io, usage
 */
export function makeDirectories(path: string): void {
  const full = resolve(path);
  const isThere = () => statSync(full, { throwIfNoEntry: false })?.isDirectory();
  if (tryIo("Cannot make the directory", path, isThere)) return;
  if (dirname(full) !== full) makeDirectories(dirname(full));
  tryIo("Cannot make the directory", path, () => {
    mkdirSync(full);
    chmodSync(full, 0o755);
  });
  try {
    syncDirectory(dirname(full));
  } catch (error) {
    rmdirSync(full);
    throw error;
  }
}

/** Makes created, renamed and removed names in `directory` durable. */
export function syncDirectory(directory: string): void {
  try {
    const fd = openSync(directory, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!isUnsupportedSync(error)) throw ioError("Cannot sync", directory, error);
  }
}

/** vfat over FUSE and network shares cannot sync a directory; nothing is lost by that. */
export function isUnsupportedSync(error: unknown): boolean {
  return ["EINVAL", "ENOTSUP"].includes(errnoOf(error));
}

export function rename(from: string, to: string): void {
  tryIo("Cannot give its name to", to, () => renameSync(from, to));
}

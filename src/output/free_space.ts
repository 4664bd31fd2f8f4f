/** Free space, free inodes and limits of the file system below a directory. */
import { existsSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { withAncestors } from "../domain/real_path.ts";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { fat32 } from "../domain/volume_size.ts";

/** Of the file system that holds a directory. */
export interface FreeSpace {
  /** Bytes available to this user. */
  bytes: number;
  /** Free inodes; undefined if the file system does not report them. */
  files?: number;
  /** Largest file size in bytes; undefined if there is no relevant limit. */
  maxFileBytes?: number;
  /** The file system is in memory, so syncing has no effect. */
  isVolatile?: true;
}

/** Linux, include/uapi/linux/magic.h: MSDOS_SUPER_MAGIC, which is all of vfat, and TMPFS_MAGIC. */
const vfat = 0x4d44;
const tmpfs = 0x01021994;

/** Of `directory`, which need not exist yet; undefined if the system does not report it. */
export function freeSpaceAt(directory: string): FreeSpace | undefined {
  try {
    const there = withAncestors(resolve(directory)).find(existsSync) ?? directory;
    const { type, bavail, bsize, files, ffree } = statfsSync(there);
    return {
      bytes: bavail * bsize,
      ...(files > 0 ? { files: ffree } : {}),
      ...(type === vfat ? { maxFileBytes: fat32 } : {}),
      ...(type === tmpfs ? { isVolatile: true as const } : {}),
    };
  } catch {
    // Writing may still work; if it does not, that error explains why.
    return undefined;
  }
}

/** What is going to be written: its sizes in bytes and, where it is known, the files. */
export interface Needs {
  /** `the payload`. */
  what: string;
  bytes: number;
  fileCount?: number;
  files?: readonly { path: string; size: number }[];
}

/**
 * @param action `Cannot unpack into`
 * @throws StellaError io if the directory cannot hold it
 */
export function refuseNoSpace(
  action: string,
  directory: string,
  space: FreeSpace | undefined,
  { what, bytes, fileCount = 0, files = [] }: Needs,
): void {
  if (space === undefined) return;
  const { maxFileBytes = Infinity } = space;
  const large = files.find(({ size }) => size > maxFileBytes);
  const found = bytes > space.bytes
    ? `${what} has ${bytes} bytes and ${space.bytes} are free`
    : fileCount > (space.files ?? Infinity)
    ? `${what} has ${fileCount} files and it can hold ${space.files} more`
    : large &&
      `${shown(large.path)} has ${large.size} bytes, and FAT32 holds at most ${maxFileBytes}`;
  if (found === undefined) return;
  throw new StellaError("no_space", `${action} ${shown(directory)}: ${found}`, {
    hint: "free space on the target, or choose another one; nothing was written",
  });
}

/** Free space, free inodes and limits of the file system below a directory. */
import { statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fat32 } from "../domain/volume_size.ts";

/** What the file system of a directory has room for. */
export interface FreeSpace {
  /** Bytes that this user may still write. */
  bytes: number;
  /** Files that can still be made; undefined where the file system has no such number. */
  files?: number;
  /** Bytes of the largest file; undefined where there is no limit that matters. */
  maxFileBytes?: number;
  /** It lies in memory, and no sync makes it last. */
  isVolatile?: true;
}

/** Linux, include/uapi/linux/magic.h: MSDOS_SUPER_MAGIC, which is all of vfat, and TMPFS_MAGIC. */
const vfat = 0x4d44;
const tmpfs = 0x01021994;

/** The room where `directory` is or will be made; undefined where the system does not say. */
export function freeSpaceAt(directory: string): FreeSpace | undefined {
  try {
    const { type, bavail, bsize, files, ffree } = statfsSync(nearest(resolve(directory)));
    return {
      bytes: bavail * bsize,
      ...(files > 0 ? { files: ffree } : {}),
      ...(type === vfat ? { maxFileBytes: fat32 } : {}),
      ...(type === tmpfs ? { isVolatile: true as const } : {}),
    };
  } catch {
    // A file system that cannot be asked may still be written to; if it cannot, that error says why.
    return undefined;
  }
}

function nearest(path: string): string {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined || dirname(path) === path) {
    return path;
  }
  return nearest(dirname(path));
}

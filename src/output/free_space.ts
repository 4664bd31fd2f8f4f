/** Free space, free inodes and limits of the file system below a directory. */
import { existsSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { withAncestors } from "../domain/real_path.ts";
import { fat32 } from "../domain/volume_size.ts";

/** Capacity and limits of the file system that holds a directory. */
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

/**
 * Free space for `directory`, which need not exist yet; undefined if the system does not report it.
 */
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

/**
 * Removable media: their file systems keep no modes, and their files came with whoever carried
 * them.
 */
import { statfsSync } from "node:fs";

/**
 * statfs types of vfat, exfat, iso9660 and udf (Linux, include/uapi/linux/magic.h and the file
 * systems' own headers).
 */
const removable = new Set([0x4d44, 0x2011bab0, 0x9660, 0x15013346]);

export function isOnRemovableMedia(path: string): boolean {
  return removable.has(statfsSync(path).type);
}

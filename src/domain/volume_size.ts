/** Volume sizes as users write them: `fat32`, `700MB`, `4G`. */

/** Largest file on FAT32. */
export const fat32 = 2 ** 32 - 1;
/** Two chunks of an archive. */
const minVolumeBytes = 8 * 1024 * 1024;
const units: Record<string, number> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

export const volumeSizes = "fat32, or at least 8M: K M G count by 1024, KB MB GB by 1000";

/**
 * Size in bytes, or undefined if `text` is not valid.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * equal(volumeBytes("700MB"), 700_000_000);
 * equal(volumeBytes("1K"), undefined);
 * ```
 */
export function volumeBytes(text: string): number | undefined {
  if (text === "fat32") return fat32;
  const [, digits, unit] = /^(\d{1,12})([KMG]B?)?$/.exec(text) ?? [];
  const bytes = Number(digits) * (units[unit ?? ""] ?? NaN);
  return Number.isSafeInteger(bytes) && bytes >= minVolumeBytes ? bytes : undefined;
}

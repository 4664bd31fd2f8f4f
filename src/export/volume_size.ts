/** Sizes of volumes as a person writes them. */
import { StellaError } from "../errors.ts";
import { shown } from "../bundle/names.ts";

/** The largest file of FAT32. */
export const fat32 = 2 ** 32 - 1;
const least = 8 * 1024 * 1024;
const units: Record<string, number> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

/** Bytes of `fat32`, `700MB`, `4G`, ...: K M G count by 1024, KB MB GB by 1000. @throws StellaError usage */
export function parseVolumeSize(text: string): number {
  if (text === "fat32") return fat32;
  const [, digits, unit] = /^(\d{1,12})([KMG]B?)?$/.exec(text) ?? [];
  const bytes = Number(digits) * (units[unit ?? ""] ?? NaN);
  if (Number.isSafeInteger(bytes) && bytes >= least) return bytes;
  throw new StellaError("usage", `Cannot cut volumes of the size ${shown(text)}`, {
    hint: "use fat32, or at least 8M: K M G count by 1024, KB MB GB by 1000",
  });
}

/** The size of volumes that was asked for, or its refusal. */
import { volumeBytes, volumeSizes } from "../domain/volume_size.ts";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";

/** Bytes of `fat32`, `700MB`, `4G`, ... @throws StellaError usage */
export function parseVolumeSize(text: string): number {
  const bytes = volumeBytes(text);
  if (bytes !== undefined) return bytes;
  throw new StellaError("usage", `Cannot cut volumes of the size ${shown(text)}`, {
    hint: `use ${volumeSizes}`,
  });
}

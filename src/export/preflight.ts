/**
 * Checks, before the first byte is written, that the minimum size of the bundle fits. The size
 * after compression is unknown; if the medium fills up later, the export ends with code 12 as well,
 * and removes what it wrote.
 */
import { statSync } from "node:fs";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { Plan } from "./plan.ts";
import { fat32 } from "../domain/volume_size.ts";
import type { FreeSpace } from "../output/free_space.ts";

/**
 * @throws StellaError usage if FAT32 cannot hold a file of the bundle, io if the bundle cannot
 * fit
 */
export function preflight(plan: Plan, directory: string, space: FreeSpace | undefined): void {
  if (space === undefined) return;
  if (space.maxFileBytes !== undefined) checkLargest(plan, directory, space.maxFileBytes);
  const bytes = minBytes(plan);
  if (bytes > space.bytes) throw noSpace(directory, `${bytes} bytes`, `${space.bytes} are free`);
  const files = plan.spec.layout === "directory" ? plan.files : 0;
  if (space.files === undefined || files <= space.files) return;
  throw noSpace(directory, `${files} files`, `it can hold ${space.files} more`);
}

function checkLargest(plan: Plan, directory: string, limit: number): void {
  const { layout, volumeSize, compression } = plan.spec;
  if (layout === "directory") {
    if (plan.largest.size <= limit) return;
    throw tooLarge(
      directory,
      `${shown(plan.largest.path)} has ${plan.largest.size} bytes`,
      "use --layout archive --volume-size fat32: volumes cut a file where they have to",
    );
  }
  if (volumeSize !== undefined && volumeSize > limit) {
    throw tooLarge(directory, `volumes of ${volumeSize} bytes`, "use --volume-size fat32");
  }
  if (volumeSize !== undefined || plan.tarBytes <= limit) return;
  const has = compression === "none" ? "has" : "may have up to";
  throw tooLarge(
    directory,
    `the archive ${has} ${plan.tarBytes} bytes`,
    "cut it with --volume-size fat32, or give the target an exFAT file system",
  );
}

/**
 * The size that is certain, however well the payload compresses. The old bundle stays until the new
 * one is complete, so its space is not available.
 */
function minBytes(plan: Plan): number {
  const { layout, compression, programs } = plan.spec;
  const payload = layout === "directory" ? plan.bytes : compression === "none" ? plan.tarBytes : 0;
  const carried = programs.reduce(
    (sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  return payload + plan.indexBytes + carried;
}

function noSpace(directory: string, needed: string, found: string): StellaError {
  return new StellaError(
    "no_space",
    `Cannot export into ${shown(directory)}: the bundle needs ${needed} and ${found}`,
    { hint: "free space on the target, or choose another one; nothing was written" },
  );
}

function tooLarge(directory: string, found: string, hint: string): StellaError {
  return new StellaError(
    "output_unsuitable",
    `Cannot export into ${
      shown(directory)
    }: FAT32 holds files of at most ${fat32} bytes, and ${found}`,
    { hint },
  );
}

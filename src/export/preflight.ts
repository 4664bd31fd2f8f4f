/**
 * Checks, before the first byte is written, that the minimum size of the bundle fits. The size
 * after compression is unknown: if the medium fills up later, the export ends with code 12 too.
 */
import { statSync } from "node:fs";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { Plan } from "./plan.ts";
import { fat32 } from "../domain/volume_size.ts";
import type { FreeSpace } from "../output/free_space.ts";

/** @throws StellaError usage if FAT32 cannot hold a file of the bundle, io if it cannot fit */
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
    const { path, size } = plan.largest;
    if (size <= limit) return;
    const hint = "use --layout archive --volume-size fat32: volumes cut a file where they have to";
    throw tooLarge(directory, `${shown(path)} has ${size} bytes`, hint);
  }
  if (volumeSize !== undefined && volumeSize > limit) {
    throw tooLarge(directory, `volumes of ${volumeSize} bytes`, "use --volume-size fat32");
  }
  if (volumeSize !== undefined || plan.tarBytes <= limit) return;
  const has = compression === "none" ? "has" : "may have up to";
  const hint = "cut it with --volume-size fat32, or give the target an exFAT file system";
  throw tooLarge(directory, `the archive ${has} ${plan.tarBytes} bytes`, hint);
}

/**
 * The size that is certain, however well the payload compresses. The old bundle stays until the new
 * one is complete, so its space is not available.
 */
function minBytes(plan: Plan): number {
  const { layout, compression, programs } = plan.spec;
  const payload = layout === "directory" ? plan.bytes : compression === "none" ? plan.tarBytes : 0;
  const sizes = programs.map(({ path }) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, payload + plan.indexBytes);
}

function noSpace(directory: string, needed: string, found: string): StellaError {
  const what = `Cannot export into ${shown(directory)}: the bundle needs ${needed} and ${found}`;
  const hint = "free space on the target, or choose another one; nothing was written";
  return new StellaError("no_space", what, { hint });
}

function tooLarge(directory: string, found: string, hint: string): StellaError {
  const limit = `FAT32 holds files of at most ${fat32} bytes`;
  const what = `Cannot export into ${shown(directory)}: ${limit}, and ${found}`;
  return new StellaError("output_unsuitable", what, { hint });
}

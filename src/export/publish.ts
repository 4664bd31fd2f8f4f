/** A finished bundle, published into a directory by the rules of every export: all or nothing, an earlier one is replaced. */
import {
  closeSync,
  copyFileSync,
  cpSync,
  fchmodSync,
  fsyncSync,
  openSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { ioError } from "../errors.ts";
import { manifestName } from "../bundle/manifest.ts";
import { Place } from "./place.ts";

/**
 * Copies the files `names` of the bundle in `from` to `directory`.
 * @throws StellaError usage where something else is in the way, media
 */
export function publishDirectory(
  from: string,
  directory: string,
  bundle: { profile: string; tenant: string; exportId: string },
  names: readonly string[],
): void {
  const { profile, tenant, exportId } = bundle;
  const place = new Place({ directory, profile, tenant, force: false, uuid: exportId });
  try {
    place.check(names.filter((name) => name !== manifestName));
    for (const name of names) copy(join(from, name), join(place.partial, name));
    place.commit(names);
  } finally {
    place.close();
  }
}

function copy(from: string, to: string): void {
  try {
    const stat = statSync(from);
    if (stat.isDirectory()) return cpSync(from, to, { recursive: true });
    copyFileSync(from, to);
    const fd = openSync(to, "r+");
    try {
      fchmodSync(fd, stat.mode & 0o777);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError("Cannot publish", to, error);
  }
}

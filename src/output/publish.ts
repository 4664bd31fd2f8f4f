/**
 * Publishes a finished bundle into a directory by the rules of an export: all or nothing, replacing
 * an earlier bundle.
 */
import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import { copyFile, cp, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { ioError } from "../domain/io_errors.ts";
import { manifestName } from "../bundle/manifest.ts";
import { maxManifestBytes } from "../bundle/read_manifest.ts";
import { readRegular } from "../domain/regular_file.ts";
import { lstatIfThere } from "./partial_folder.ts";
import { OutputTransaction } from "./output_transaction.ts";

/**
 * Copies the files `names` of the bundle in `from` to `directory`. Copying is asynchronous: with a
 * slow medium the worker must stay responsive.
 * @throws StellaError usage if other files are in the way, io
 */
export async function publishDirectory(
  from: string,
  directory: string,
  bundle: { profile: string; tenant: string; exportId: string },
  names: readonly string[],
  onFile: (name: string) => void = () => {},
): Promise<void> {
  const { profile, tenant, exportId } = bundle;
  const place = new OutputTransaction({ directory, profile, tenant, force: false, uuid: exportId });
  try {
    place.check(names.filter((name) => name !== manifestName));
    for (const name of names) {
      await copy(join(from, name), join(place.partial, name));
      onFile(name);
    }
    place.commit(names);
  } finally {
    place.close();
  }
}

/** Whether `directory` has the bundle in `from`: the same manifest, and files of the same sizes. */
export function isPublished(from: string, directory: string): boolean {
  const has = (name: string) => {
    const [here, there] = [lstatIfThere(join(from, name)), lstatIfThere(join(directory, name))];
    return here?.isDirectory()
      ? there?.isDirectory() === true
      : there?.isFile() === true && there.size === here?.size;
  };
  if (!readdirSync(from).every(has)) return false;
  const manifest = (place: string) =>
    readRegular("Cannot read", join(place, manifestName), maxManifestBytes);
  return Buffer.compare(manifest(from), manifest(directory)) === 0;
}

async function copy(from: string, to: string): Promise<void> {
  try {
    const found = await stat(from);
    if (found.isDirectory()) return await cp(from, to, { recursive: true });
    await copyFile(from, to);
    const file = await open(to, "r+");
    try {
      await file.chmod(found.mode & 0o777);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError("Cannot publish", to, error);
  }
}

/**
 * What exports leave behind that were killed or failed while their files took their names. Such an export has no manifest.json in
 * the output directory: the old one leaves first, the new one comes last. Its folder still says which names it was
 * about to give, and holds what it replaced: the next export takes the one away and puts the other back.
 *
 * On a stick anybody may have put such a folder there. So nothing is followed through a link, names are checked as those of a
 * manifest are, and no directory but a payload is ever removed.
 */
import { lstatSync, readdirSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";
import { ioError, StellaError } from "../domain/errors.ts";
import { rename, syncDirectory, writeNew } from "../domain/durable.ts";
import {
  attestationName,
  type Manifest,
  manifestName,
  oldManifestName,
} from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { folded, pathFault } from "../domain/paths.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { readRegular } from "../domain/regular_file.ts";

const payloadName = "payload";
/** In an export's folder: what it replaces, until it is done. */
export const replacedFolderName = "old";
const lockName = "lock";
const commitRecordName = "names";
/**
 * Names that mean something here while a bundle is replaced: no file of a bundle can have one of
 * them.
 */
const reserved = [oldManifestName, replacedFolderName, lockName, commitRecordName].map(folded);

/** Of `names`, those that no file of a bundle can have where it is replaced or replaces one. */
export function reservedAmong(names: readonly string[]): string[] {
  return names.filter((name) => reserved.includes(folded(name)));
}

/** Bytes; a thousand volumes need a tenth of it. */
const maxCommitRecordBytes = 1024 * 1024;
export const partialPattern = /^\.stella-[0-9a-f-]{36}\.partial$/;

/**
 * Removes what ended exports left in `directory`, all but the folder `own`.
 * @throws StellaError busy where a folder's lock is held: another export runs there
 */
export function recoverKilled(directory: string, own: string): void {
  for (const name of readdirSync(directory).filter((one) => partialPattern.test(one))) {
    const folder = join(directory, name);
    if (folder === own || !isDirectory(folder)) continue;
    const lock = lockPartial(folder);
    if (lock === undefined) throw busy(directory);
    try {
      const moved = movedNames(folder);
      if (moved !== undefined) rollBack(directory, folder, moved);
      clearFolder(folder);
    } finally {
      lock.close();
    }
  }
}

/** Takes the lock of an export's folder; undefined where another process holds it. It ends with the process. */
export function lockPartial(folder: string): Deno.FsFile | undefined {
  const path = join(folder, lockName);
  let file: Deno.FsFile;
  try {
    if (lstatIfThere(path)?.isFile() === false) remove(path);
    // To open a pipe for reading and writing waits for nobody (Linux, fifo(7)): somebody may put one there just now.
    file = Deno.openSync(path, { create: true, read: true, write: true });
  } catch (error) {
    throw ioError("Cannot lock", folder, error);
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  return undefined;
}

function busy(directory: string): StellaError {
  return new StellaError(
    "busy",
    `Cannot write a bundle into ${shown(directory)}: another export or pull is running there`,
    { hint: "wait until it has ended, or choose another directory" },
  );
}

/** Whether it is only that another run has not ended there. */
export function isBusy(error: unknown): boolean {
  return error instanceof StellaError && error.code === "busy";
}

/** Notes in an export's folder which names its commit is about to give. */
export function writeCommitRecord(partial: string, names: readonly string[]): void {
  writeNew(join(partial, commitRecordName), names.join("\n"), 0o644);
}

/** What a killed export had moved out of its folder; undefined where its commit had not begun. */
function movedNames(partial: string): string[] | undefined {
  const note = join(partial, commitRecordName);
  const stat = lstatIfThere(note);
  if (!stat?.isFile() || stat.size > maxCommitRecordBytes) return undefined;
  const names = new TextDecoder().decode(readRegular("Cannot read", note, maxCommitRecordBytes))
    .split("\n");
  const safe = names.filter((name) => pathFault(name) === undefined && !name.includes("/"));
  return safe.filter((name) => lstatIfThere(join(partial, name)) === undefined);
}

/** Undoes a commit that ended between its renames, after it had moved `moved` out of `partial`. */
export function rollBack(directory: string, partial: string, moved: readonly string[]): void {
  // While there is a manifest.json no commit was under way.
  if (lstatIfThere(join(directory, manifestName)) !== undefined) return;
  for (const name of moved) removeBundleFile(directory, name);
  const aside = join(partial, replacedFolderName);
  for (const name of isDirectory(aside) ? readdirSync(aside) : []) {
    rename(join(aside, name), join(directory, name));
  }
  if (isComplete(directory)) {
    rename(join(directory, oldManifestName), join(directory, manifestName));
  }
  syncDirectory(directory);
}

/** Whether all that the old manifest lists is there; of one that cannot be read nobody can say. */
function isComplete(directory: string): boolean {
  if (lstatIfThere(join(directory, oldManifestName)) === undefined) return false;
  const old = readManifestIfValid(join(directory, oldManifestName));
  return old === undefined ||
    bundleFileNames(old).every((name) => lstatIfThere(join(directory, name)));
}

/** What a bundle consists of beside its manifest. */
export function bundleFileNames(manifest: Manifest): string[] {
  const payload = manifest.payload.layout === "directory" ? [payloadName] : [];
  return [attestationName, ...manifest.files.map((file) => file.path), ...payload];
}

/** The manifest at `path`, if a regular file there holds one; nothing is followed. */
export function readManifestIfValid(path: string): Manifest | undefined {
  const stat = lstatIfThere(path);
  if (!stat?.isFile() || stat.size > maxManifestBytes) return undefined;
  try {
    return readManifest(readRegular("Cannot read", path, maxManifestBytes));
  } catch {
    return undefined;
  }
}

/** What lies at `path`, a dangling link too. */
export function lstatIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Removes an export's folder, its note first: a kill in between must not make it look like a commit under way. */
export function clearFolder(folder: string): void {
  remove(join(folder, commitRecordName));
  remove(folder);
}

function isDirectory(path: string): boolean {
  return lstatIfThere(path)?.isDirectory() === true;
}

/** Removes a bundle's file. Only the payload is a directory of a bundle's own, whatever else a manifest or note may claim. */
export function removeBundleFile(directory: string, name: string): void {
  const path = join(directory, name);
  if (name === payloadName || !isDirectory(path)) remove(path);
}

/** Removes a file or link, or a folder with all it holds; what is not there is no error. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw ioError("Cannot remove", path, error);
  }
}

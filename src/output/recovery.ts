/**
 * Recovery of output directories in which an export was killed or failed during its commit. Such a
 * directory has no manifest.json: the old one is moved away first and the new one comes last. The
 * partial folder records the names being committed and holds the replaced files, so the next export
 * removes the former and restores the latter.
 *
 * Anybody may have planted such a folder: names are checked like those of a manifest, and no
 * directory except a payload is removed.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
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
import { commitRecordName, isDirectory, lockName, lstatIfThere, remove } from "./partial_folder.ts";

const payloadName = "payload";
/** Subfolder of the partial folder that holds replaced files until the commit is complete. */
export const replacedFolderName = "old";
/** Names used during a replacement: no file of a bundle may have one of them. */
const reserved = [oldManifestName, replacedFolderName, lockName, commitRecordName].map(folded);

/** @throws StellaError unsafe for a name that a replacement uses */
export function refuseReserved(directory: string, names: readonly string[]): void {
  const found = names.filter((name) => reserved.includes(folded(name)));
  if (found.length === 0) return;
  const list = found.map(shown).join(", ");
  const text = `Cannot write a bundle into ${shown(directory)}: ${list} is a reserved name`;
  throw new StellaError("name_reserved", text, {
    hint: "ask the sender to rename the file: stella uses this name while it replaces a bundle",
  });
}

/** Bytes; a bundle of a thousand volumes needs a tenth of this. */
const maxCommitRecordBytes = 1024 * 1024;

/** Rolls back what a killed export left in its partial folder. */
export function recover(directory: string, partial: string): void {
  const moved = movedNames(partial);
  if (moved !== undefined) rollBack(directory, partial, moved);
}

/** Records the names that are about to be committed. */
export function writeCommitRecord(partial: string, names: readonly string[]): void {
  writeNew(join(partial, commitRecordName), names.join("\n"), 0o644);
}

/** Names that a killed export had already moved; undefined if its commit had not started. */
function movedNames(partial: string): string[] | undefined {
  const note = join(partial, commitRecordName);
  const stat = lstatIfThere(note);
  if (!stat?.isFile() || stat.size > maxCommitRecordBytes) return undefined;
  const bytes = readRegular("Cannot read", note, maxCommitRecordBytes);
  return new TextDecoder().decode(bytes).split("\n")
    .filter((name) => pathFault(name) === undefined && !name.includes("/"))
    .filter((name) => lstatIfThere(join(partial, name)) === undefined);
}

/** Rolls back a commit that has moved the names `moved` out of `partial`. */
export function rollBack(directory: string, partial: string, moved: readonly string[]): void {
  // A manifest.json means that no commit was in progress.
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

/** Whether everything the old manifest lists exists; true if the manifest cannot be read. */
function isComplete(directory: string): boolean {
  if (lstatIfThere(join(directory, oldManifestName)) === undefined) return false;
  const old = readManifestIfValid(join(directory, oldManifestName));
  return old === undefined ||
    bundleFileNames(old).every((name) => lstatIfThere(join(directory, name)));
}

/** The files of a bundle apart from its manifest. */
export function bundleFileNames(manifest: Manifest): string[] {
  const payload = manifest.payload.layout === "directory" ? [payloadName] : [];
  return [attestationName, ...manifest.files.map((file) => file.path), ...payload];
}

/** Links are not followed. */
export function readManifestIfValid(path: string): Manifest | undefined {
  const stat = lstatIfThere(path);
  if (!stat?.isFile() || stat.size > maxManifestBytes) return undefined;
  try {
    return readManifest(readRegular("Cannot read", path, maxManifestBytes));
  } catch {
    return undefined;
  }
}

/** Only the payload may be a directory, whatever a manifest or commit record claims. */
export function removeBundleFile(directory: string, name: string): void {
  const path = join(directory, name);
  if (name === payloadName || !isDirectory(path)) remove(path);
}

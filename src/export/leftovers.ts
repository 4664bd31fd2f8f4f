/**
 * What exports leave behind that were killed or failed while their files took their names. Such an export has no manifest.json in
 * the output directory: the old one leaves first, the new one comes last. Its folder still holds the new manifest, which says
 * what is its own, so the next export can take that away and put an old bundle that is still whole back into place.
 */
import { lstatSync, readdirSync, readFileSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";
import { ioError, StellaError } from "../errors.ts";
import { rename } from "../bundle/durable.ts";
import { attestationName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../bundle/names.ts";
import { largestManifest, readManifest } from "../bundle/read_manifest.ts";

/** The manifest of the bundle that is being replaced. */
export const oldName = "manifest.json.old";
export const payloadName = "payload";
const lockName = "lock";
const partialPattern = /^\.stella-[0-9a-f-]{36}\.partial$/;

/**
 * Removes what ended exports left in `directory`, all but the folder `own`.
 * @throws StellaError usage where a folder's lock is held: another export runs there
 */
export function clearLeftovers(directory: string, own: string): void {
  for (const name of readdirSync(directory).filter((one) => partialPattern.test(one))) {
    const folder = join(directory, name);
    if (folder === own) continue;
    const lock = lockPartial(folder);
    if (lock === undefined) throw busy(directory);
    try {
      takeBack(directory, folder);
      remove(folder);
    } finally {
      lock.close();
    }
  }
}

/** Takes the lock of an export's folder; undefined where another process holds it. It ends with the process. */
export function lockPartial(folder: string): Deno.FsFile | undefined {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(join(folder, lockName), { create: true, write: true });
  } catch (error) {
    throw ioError("Cannot lock", folder, error);
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  return undefined;
}

function busy(directory: string): StellaError {
  return new StellaError(
    "usage",
    `Cannot export into ${shown(directory)}: another export runs there`,
    { hint: "wait for it, or choose another directory" },
  );
}

/** Undoes a commit that ended between its renames; nothing where none was under way. */
export function takeBack(directory: string, partial: string): void {
  if (present(join(directory, manifestName)) !== undefined) return;
  const mine = tryManifest(join(partial, manifestName));
  if (mine === undefined) return;
  const moved = namesOf(mine).filter((name) => present(join(partial, name)) === undefined);
  for (const name of moved) remove(join(directory, name));
  if (present(join(directory, oldName)) === undefined) return;
  const old = tryManifest(join(directory, oldName));
  const whole = old === undefined
    ? moved.length === 0
    : namesOf(old).every((name) => present(join(directory, name)) !== undefined);
  if (whole) rename(join(directory, oldName), join(directory, manifestName));
}

/** What a bundle consists of beside its manifest. */
export function namesOf(manifest: Manifest): string[] {
  const payload = manifest.payload.layout === "directory" ? [payloadName] : [];
  return [attestationName, ...manifest.files.map((file) => file.path), ...payload];
}

/** The manifest at `path`, if a regular file there holds one; nothing is followed. */
export function tryManifest(path: string): Manifest | undefined {
  const stat = present(path);
  if (!stat?.isFile() || stat.size > largestManifest) return undefined;
  try {
    return readManifest(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** What lies at `path`, a dangling link too. */
export function present(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Removes a file, or a folder with all it holds; what is not there is no error. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw ioError("Cannot remove", path, error);
  }
}

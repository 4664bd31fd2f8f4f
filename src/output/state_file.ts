/**
 * Small files of the state directory that several processes change. Each has a lock file beside it,
 * an exclusive flock that ends with its holder, and is replaced by a rename: a reader needs no lock.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { ioError, tryIo } from "../domain/io_errors.ts";
import { shown } from "../domain/names.ts";
import { readRegular } from "../domain/regular_file.ts";
import { regularFileAt, replaceFile } from "./named_file.ts";

/** Bytes; an entry for each profile of each tenant has about 300. */
const maxStateBytes = 16 * 1024 * 1024;

/** The content of a state file; undefined if there is none. @throws StellaError io, conflict */
export function readStateFile(path: string): Uint8Array | undefined {
  if (regularFileAt(path) === undefined) return undefined;
  return readRegular("Cannot read", path, maxStateBytes);
}

/**
 * Changes a state file while no other process does, and creates its directory if it is missing.
 * @param uuid names the new file until it is complete
 * @param change gets the present content, and returns the new one, or undefined to keep the file
 * @throws StellaError io, conflict; and the errors of `change`
 */
export async function changeStateFile(
  path: string,
  uuid: string,
  change: (present: Uint8Array | undefined) => Uint8Array | undefined,
): Promise<void> {
  const directory = dirname(path);
  tryIo("Cannot make the directory", directory, () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  });
  const lock = await lockAt(`${path}.lock`);
  try {
    const next = change(readStateFile(path));
    if (next !== undefined) replaceFile(path, next, 0o644, uuid);
  } finally {
    lock.close();
  }
}

/** Waits for the lock, which nobody holds for longer than a change takes. */
async function lockAt(path: string): Promise<Deno.FsFile> {
  // A lock that another user made can be read, and that is enough to take it.
  const isNew = regularFileAt(path) === undefined;
  const how = isNew ? { write: true, create: true, mode: 0o644 } : { read: true };
  try {
    const file = await Deno.open(path, how);
    await file.lock(true);
    return file;
  } catch (error) {
    throw ioError("Cannot lock", path, error);
  }
}

/** A file of ours that does not have its form. @param wayBack what the operator can do */
export function stateInvalid(path: string, found: string, wayBack: string): StellaError {
  return new StellaError("state_invalid", `Cannot use ${shown(path)}: ${found}`, { hint: wayBack });
}

/**
 * Writes a bundle into its output directory as a transaction: all files are written and synced in
 * `.stella-<uuid>.partial/` inside it, then renamed into place, the manifest last. A failed or
 * killed export never looks finished and never destroys the previous bundle: its files are kept in
 * that folder until the new bundle is complete, and are restored on failure.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { rename, syncDirectory } from "../domain/durable.ts";
import { hmacName, type Manifest, manifestName, oldManifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { isWithin, realPath } from "../domain/real_path.ts";
import { isDirectory, lstatIfThere, makeFolder, PartialFolder, remove } from "./partial_folder.ts";
import {
  bundleFileNames,
  readManifestIfValid,
  recover,
  refuseReserved,
  removeBundleFile,
  replacedFolderName,
  rollBack,
  writeCommitRecord,
} from "./recovery.ts";

export interface OutputOptions {
  directory: string;
  profile: string;
  tenant: string;
  /** Overwrite existing files. */
  force: boolean;
  uuid: string;
}

/** The transaction of one export, from start to end. */
export class OutputTransaction {
  readonly #folder: PartialFolder;
  /** Manifests of the bundle being replaced; two if an export was killed during cleanup. */
  readonly #old: Manifest[] = [];
  readonly #moved: string[] = [];
  #stuck = false;

  /** @throws StellaError conflict if files are in the way, busy if another export is running */
  constructor(readonly options: OutputOptions) {
    const { directory, uuid } = options;
    // It is locked first: of two exports that start at once, at least one sees the other.
    this.#folder = new PartialFolder(directory, uuid, {
      action: "Cannot write a bundle into",
      other: "another export or pull",
    });
    try {
      makeFolder(join(this.partial, replacedFolderName), { recursive: true });
      this.#folder.clearOthers((folder) => recover(directory, folder));
      this.#old = this.#replaced();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The folder to write into. */
  get partial(): string {
    return this.#folder.path;
  }

  /**
   * Checks the names that the export may need before any work is done.
   * @throws StellaError conflict if a name is taken; unsafe if it is reserved for the replacement
   */
  check(names: readonly string[]): void {
    const { directory, force } = this.options;
    refuseReserved(directory, names);
    const mine = new Set(this.#ofOld());
    const needed = new Set(names);
    const taken = readdirSync(directory).filter((name) => needed.has(name) && !mine.has(name));
    if (taken.length > 0 && !force) throw inTheWay(directory, taken);
  }

  /** Renames all files into place, the manifest last, then removes the rest of the old bundle. */
  commit(names: readonly string[]): void {
    refuseReserved(this.options.directory, names);
    writeCommitRecord(this.partial, names);
    syncDirectory(this.partial);
    try {
      this.#rename(names);
    } catch (error) {
      this.#undo();
      throw error;
    }
    this.#clearOld(names);
  }

  /** Ends the transaction, after a commit too; without a commit the directory is unchanged. */
  close(): void {
    this.#folder.close(this.#stuck);
  }

  #rename(names: readonly string[]): void {
    const { directory } = this.options;
    const manifest = join(directory, manifestName);
    if (lstatIfThere(manifest) !== undefined) {
      if (isDirectory(join(directory, oldManifestName))) this.#setAside(oldManifestName);
      rename(manifest, join(directory, oldManifestName));
      // Without a journal (FAT) the new files could otherwise reach the disk under the old
      // manifest.
      syncDirectory(directory);
    }
    for (const name of names.filter((n) => n !== manifestName)) {
      if (lstatIfThere(join(directory, name)) !== undefined) this.#setAside(name);
      rename(join(this.partial, name), join(directory, name));
      this.#moved.push(name);
    }
    syncDirectory(directory);
    rename(join(this.partial, manifestName), manifest);
    syncDirectory(directory);
  }

  /** Replaced files are kept, so that a failed or killed commit can be undone. */
  #setAside(name: string): void {
    rename(join(this.options.directory, name), join(this.partial, replacedFolderName, name));
  }

  #undo(): void {
    try {
      rollBack(this.options.directory, this.partial, this.#moved);
    } catch {
      // The first error is the cause. The next export retries the rollback from the folder.
      this.#stuck = true;
    }
  }

  /** Files that the old bundle may have; its manifest does not list the HMAC signature. */
  #ofOld(): string[] {
    return this.#old.flatMap((old) => [hmacName, ...bundleFileNames(old)]);
  }

  #clearOld(names: readonly string[]): void {
    const { directory } = this.options;
    const kept = new Set(names);
    for (const name of this.#ofOld().filter((one) => !kept.has(one))) {
      removeBundleFile(directory, name);
    }
    remove(join(directory, oldManifestName));
    syncDirectory(directory);
  }

  /** The manifest of the existing bundle, or of the one that a killed export was replacing. */
  #replaced(): Manifest[] {
    const { directory, profile, tenant, force } = this.options;
    return [manifestName, oldManifestName].flatMap((name) => {
      if (lstatIfThere(join(directory, name)) === undefined) return [];
      const old = readManifestIfValid(join(directory, name));
      const ours = old?.profile === profile && old.tenant === tenant;
      if (!ours && !force) throw inTheWay(directory, [name]);
      return old ?? [];
    });
  }
}

function inTheWay(directory: string, names: string[]): StellaError {
  const list = names.map(shown).join(", ");
  const text = `Cannot write a bundle into ${shown(directory)}: ${list} is in the way`;
  return new StellaError("output_exists", text, {
    hint: "choose another directory, or overwrite other files and bundles with --force",
  });
}

/** Refuses an output directory inside an input: it would pack itself. @throws StellaError usage */
export function refuseInside(directory: string, inputs: readonly string[]): void {
  const out = realPath(directory);
  for (const input of inputs) {
    if (!isWithin(out, realPath(input))) continue;
    throw new StellaError(
      "output_unsuitable",
      `Cannot export into ${shown(directory)}: it is inside the input ${shown(input)}`,
      { hint: "choose a directory outside the inputs: the bundle would pack itself" },
    );
  }
}

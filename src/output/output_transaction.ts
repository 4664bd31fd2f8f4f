/**
 * The output directory: everything is written in `.stella-<uuid>.partial/` inside it, synced, then takes its name, the manifest
 * last. A failed or killed export never looks finished, and never destroys the bundle that stood there: until the new one is whole,
 * the old one's files wait in that folder, and come back.
 */
import { chmodSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { ioError, StellaError } from "../domain/errors.ts";
import { makeDirectories, rename, syncDirectory } from "../domain/durable.ts";
import { hmacName, type Manifest, manifestName, oldManifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import {
  bundleFileNames,
  clearFolder,
  lockPartial,
  lstatIfThere,
  readManifestIfValid,
  recoverKilled,
  remove,
  removeBundleFile,
  replacedFolderName,
  reservedAmong,
  rollBack,
  writeCommitRecord,
} from "./recovery.ts";

export interface OutputOptions {
  directory: string;
  profile: string;
  tenant: string;
  /** Replace whatever stands in the way. */
  force: boolean;
  uuid: string;
}

/** The output directory of one export, from its start to its end. */
export class OutputTransaction {
  /** Where the export writes. */
  readonly partial: string;
  readonly #lock: Deno.FsFile;
  /** What stands there and is replaced; two where an export was killed while it cleared up. */
  readonly #old: Manifest[] = [];
  readonly #moved: string[] = [];
  #stuck = false;

  /**
   * @throws StellaError conflict where something is in the way, busy where another export runs
   */
  constructor(readonly options: OutputOptions) {
    const { directory } = options;
    makeDirectories(directory);
    this.partial = join(directory, `.stella-${options.uuid}.partial`);
    makeFolder(join(this.partial, replacedFolderName));
    this.#lock = lock(this.partial);
    try {
      // The own lock first: of two exports that begin at once, at least one sees the other.
      recoverKilled(directory, this.partial);
      this.#old = this.#replaced();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Refuses, before any work is done, names that the export may need and that something else has.
   * @throws StellaError conflict; unsafe for a name that would be lost while a bundle is replaced
   */
  check(names: readonly string[]): void {
    const { directory, force } = this.options;
    refuseReserved(directory, names);
    const mine = new Set(this.#ofOld());
    const needed = new Set(names);
    const taken = readdirSync(directory).filter((name) => needed.has(name) && !mine.has(name));
    if (taken.length > 0 && !force) throw inTheWay(directory, taken);
  }

  /** Gives all files of `partial` their names, the manifest last, and takes away what only the old bundle had. */
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

  /** Ends it, after a commit too; without one the directory is as it was. */
  close(): void {
    try {
      if (!this.#stuck) clearFolder(this.partial);
    } finally {
      this.#lock.close();
    }
  }

  #rename(names: readonly string[]): void {
    const { directory } = this.options;
    const manifest = join(directory, manifestName);
    if (lstatIfThere(manifest) !== undefined) {
      if (lstatIfThere(join(directory, oldManifestName))?.isDirectory()) {
        this.#setAside(oldManifestName);
      }
      rename(manifest, join(directory, oldManifestName));
      // On a stick without a journal the new files could otherwise reach the disk under the old manifest.
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

  /** What is replaced waits in the partial folder, so that a commit that fails or is killed can be undone. */
  #setAside(name: string): void {
    rename(join(this.options.directory, name), join(this.partial, replacedFolderName, name));
  }

  #undo(): void {
    try {
      rollBack(this.options.directory, this.partial, this.#moved);
    } catch {
      // The first error says more. The folder stays, with all of the old bundle that is in it: the next export tries again.
      this.#stuck = true;
    }
  }

  /** What the old bundle may have; whether it was sealed is not in its manifest. */
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

  /** The bundle that stands there, or stood there when an export was killed, if it may be replaced. */
  #replaced(): Manifest[] {
    const { directory, profile, tenant, force } = this.options;
    const names = [manifestName, oldManifestName].filter((name) =>
      lstatIfThere(join(directory, name))
    );
    return names.flatMap((name) => {
      const old = readManifestIfValid(join(directory, name));
      const ours = old?.profile === profile && old.tenant === tenant;
      if (!ours && !force) throw inTheWay(directory, [name]);
      return old ?? [];
    });
  }
}

function refuseReserved(directory: string, names: readonly string[]): void {
  const reserved = reservedAmong(names);
  if (reserved.length === 0) return;
  const list = reserved.map((name) => shown(name)).join(", ");
  const text = `Cannot write a bundle into ${shown(directory)}: ${list} is a reserved name`;
  throw new StellaError("unsafe", text, {
    hint: "ask the sender to rename the file: stella uses this name while it replaces a bundle",
  });
}

function inTheWay(directory: string, names: string[]): StellaError {
  const list = names.map((name) => shown(name)).join(", ");
  const text = `Cannot write a bundle into ${shown(directory)}: ${list} is in the way`;
  return new StellaError("conflict", text, {
    hint:
      "choose another directory, or replace with --force what is no bundle of this profile and tenant",
  });
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o755);
  } catch (error) {
    throw ioError("Cannot make the directory", path, error);
  }
}

function lock(folder: string): Deno.FsFile {
  const held = lockPartial(folder);
  if (held !== undefined) return held;
  throw new StellaError("busy", `Cannot lock ${shown(folder)}: another export is removing it`, {
    hint: "run the command again when no other export starts in that directory",
  });
}

/** An output inside an input would pack itself. @throws StellaError usage */
export function refuseInside(directory: string, inputs: readonly string[]): void {
  const out = existing(directory);
  for (const input of inputs) {
    const root = existing(input);
    if (out !== root && !out.startsWith(root.endsWith(sep) ? root : root + sep)) continue;
    throw new StellaError(
      "usage",
      `Cannot export into ${shown(directory)}: it lies in the input ${shown(input)}`,
      {
        hint: "the bundle would pack itself: choose a directory outside of the inputs",
      },
    );
  }
}

/** The real path of the nearest ancestor that exists, and what follows it. */
function existing(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const at = path.replace(/\/+$/, "").lastIndexOf(sep);
    const parent = at < 0 ? "." : at === 0 ? sep : path.slice(0, at);
    return join(existing(parent), path.slice(at + 1));
  }
}

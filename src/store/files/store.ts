/**
 * Finished bundles: `store/<tenant>/<profile>/<exportId>/`, each a directory as written by an
 * export. A bundle is built in `tmp/` on the same file system and renamed into place, so a reader
 * sees all of it or nothing. Directories have mode 0700: other users have no access to the store.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../domain/durable.ts";
import { checkName, isName, shown } from "../../domain/names.ts";
import { StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";

/** Key of a finished bundle. */
export interface StoredBundle {
  tenant: string;
  profile: string;
  /** The export that made it. */
  exportId: string;
}

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export class FileStore {
  readonly #store: string;
  readonly #tmp: string;

  /** `state` is the state directory; nothing is created until it is needed. */
  constructor(state: string) {
    this.#store = join(state, "store");
    this.#tmp = join(state, "tmp");
  }

  /**
   * Creates the directory of the bundles: if it is missing later, it was lost.
   * @throws StellaError io
   */
  prepare(): void {
    tryIo("Cannot make", this.#store, () => makeDirectory(this.#store));
  }

  /**
   * A new directory for the bundle of this export, emptied of an earlier attempt.
   * @throws StellaError io
   */
  begin(exportId: string): string {
    const staging = join(this.#tmp, checkId(exportId));
    return tryIo("Cannot make", staging, () => {
      rmSync(staging, { recursive: true, force: true });
      mkdirSync(staging, { recursive: true, mode: 0o700 });
      return staging;
    });
  }

  /**
   * Moves the staged bundle, whose files must be synced, to its final path, and returns that. An
   * earlier bundle of the same export is replaced: its attempt died before it was recorded.
   * @throws StellaError io
   */
  commit(bundle: StoredBundle): string {
    const staging = join(this.#tmp, checkId(bundle.exportId));
    const place = this.path(bundle);
    return tryIo("Cannot store the bundle in", place, () => {
      this.#makeParents(bundle);
      this.#setAside(place, `${staging}.old`);
      renameSync(staging, place);
      syncDirectory(dirname(place));
      rmSync(`${staging}.old`, { recursive: true, force: true });
      return place;
    });
  }

  /** First by one rename, then its bytes. False if there is none. @throws StellaError io */
  remove(bundle: StoredBundle): boolean {
    const place = this.find(bundle);
    if (place === undefined) return false;
    const gone = join(this.#tmp, `${checkId(bundle.exportId)}.gone`);
    tryIo("Cannot remove the bundle in", place, () => {
      mkdirSync(this.#tmp, { recursive: true, mode: 0o700 });
      this.#setAside(place, gone);
      rmSync(gone, { recursive: true, force: true });
    });
    return true;
  }

  /** Removes the staged files of this export. */
  abandon(exportId: string): void {
    rmSync(join(this.#tmp, checkId(exportId)), { recursive: true, force: true });
  }

  /** Removes all staged files. The caller must hold the lock of the state directory. */
  sweep(): void {
    for (const name of names(this.#tmp)) {
      rmSync(join(this.#tmp, name), { recursive: true, force: true });
    }
  }

  /** The path of the bundle, existing or not. @throws StellaError usage for an invalid name */
  path(bundle: StoredBundle): string {
    const tenant = checkName("tenant", bundle.tenant);
    const profile = checkName("profile", bundle.profile);
    return join(this.#store, tenant, profile, checkId(bundle.exportId));
  }

  /** The directory of a finished bundle; undefined if there is none. */
  find(bundle: StoredBundle): string | undefined {
    const place = this.path(bundle);
    return statSync(place, { throwIfNoEntry: false })?.isDirectory() ? place : undefined;
  }

  /** Finished bundles by tenant, profile, and request order of their exports. */
  list(filter: { tenant?: string; profile?: string } = {}): StoredBundle[] {
    const tenants = filter.tenant === undefined ? nameDirectories(this.#store) : [filter.tenant];
    return tenants.flatMap((tenant) => this.#ofTenant(checkName("tenant", tenant), filter.profile));
  }

  #ofTenant(tenant: string, only: string | undefined): StoredBundle[] {
    const base = join(this.#store, tenant);
    const profiles = only === undefined ? nameDirectories(base) : [checkName("profile", only)];
    return profiles.flatMap((profile) =>
      names(join(base, profile)).filter((name) => idPattern.test(name)).sort()
        .map((exportId) => ({ tenant, profile, exportId }))
    );
  }

  /** Each new directory is synced in its parent, or a power cut could lose the whole branch. */
  #makeParents(bundle: StoredBundle): void {
    let directory = this.#store;
    makeDirectory(directory);
    for (const part of [bundle.tenant, bundle.profile]) {
      directory = join(directory, part);
      makeDirectory(directory);
    }
  }

  #setAside(place: string, aside: string): void {
    rmSync(aside, { recursive: true, force: true });
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) renameSync(place, aside);
  }
}

function makeDirectory(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) syncDirectory(dirname(path));
}

/** Names in a directory; none if it does not exist. */
function names(directory: string): string[] {
  const there = statSync(directory, { throwIfNoEntry: false }) !== undefined;
  return there ? readdirSync(directory) : [];
}

function nameDirectories(directory: string): string[] {
  return names(directory).filter(isName).sort();
}

function checkId(exportId: string): string {
  if (idPattern.test(exportId)) return exportId;
  throw new StellaError("id_invalid", `The export id ${shown(exportId)} cannot be used`, {
    hint: "use an id that `stella jobs list` shows",
  });
}

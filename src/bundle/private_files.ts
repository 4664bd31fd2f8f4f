/**
 * Files that must never be packed: private keys, passphrases, credentials, tokens, and the state
 * directory. They are identified by device and inode of an open handle: a path can be redirected by
 * a link or an exchanged directory, and Deno's O_NOFOLLOW does not prevent that, but a handle
 * always identifies its file.
 */
import { join } from "node:path";
import { errnoOf, ioError } from "../domain/io_errors.ts";

/** Their paths, which need not exist; links are followed. */
export interface PrivatePlaces {
  files: readonly string[];
  /** Directories, with everything below them. */
  directories: readonly string[];
  /** Exceptions below these directories: files that an export prepares for itself. */
  except?: readonly string[];
}

/** The required part of a file's status. */
export interface FileStatus {
  dev: number;
  ino: number | null;
  /** Last change of the inode (ctime), ms since 1970; null if the system has none. */
  changed: number | null;
}

/** Milliseconds that a ctime may be early: ext3 keeps whole seconds, kernels count in ticks. */
const clockStep = 1_100;

export class PrivateFiles {
  /** Inodes by device, sorted: for a million files a Set needs ten times the memory. */
  #inodes: Map<number, Float64Array> | undefined;
  /** Milliseconds since 1970. */
  #takenAt = -Infinity;

  constructor(readonly places: PrivatePlaces, readonly now: () => number) {}

  /** The same list without the directory `path`. */
  except(path: string): PrivateFiles {
    const except = [...this.places.except ?? [], path];
    return new PrivateFiles({ ...this.places, except }, this.now);
  }

  /**
   * Whether an open file, or one just examined by lstat, is private. A file that changed after the
   * list was made may be newer than the list, so the list is rebuilt: while the file is open no
   * other file can get its inode.
   * @throws StellaError usage, io if a directory cannot be listed
   */
  has(file: FileStatus): boolean {
    this.#inodes ??= this.#take();
    if (file.ino === null || !this.#inodes.has(file.dev)) return false;
    if (this.#lists(file.dev, file.ino)) return true;
    if (file.changed !== null && file.changed < this.#takenAt - clockStep) return false;
    this.#inodes = this.#take();
    return this.#lists(file.dev, file.ino);
  }

  #lists(dev: number, ino: number): boolean {
    const inodes = this.#inodes!.get(dev) ?? new Float64Array();
    let [low, high] = [0, inodes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inodes[middle]! < ino) low = middle + 1;
      else high = middle;
    }
    return inodes[low] === ino;
  }

  #take(): Map<number, Float64Array> {
    this.#takenAt = this.now();
    const { files, directories, except = [] } = this.places;
    const list = new InodeList(except);
    for (const path of files) list.add(path, false);
    for (const path of directories) list.add(path, true);
    return list.sorted();
  }
}

class InodeList {
  readonly #inodes = new Map<number, number[]>();
  readonly #except: Set<string>;
  /** Directories being listed. */
  readonly #above = new Set<string>();

  constructor(except: readonly string[]) {
    this.#except = new Set(except.flatMap((path) => identityOf(statusOf(path)) ?? []));
  }

  /** Adds a file, or a directory with its contents if `isDeep`. Links are followed. */
  add(path: string, isDeep: boolean): void {
    const stat = statusOf(path);
    const identity = identityOf(stat);
    if (stat === undefined || stat.ino === null || identity === undefined) return;
    if (this.#except.has(identity)) return;
    const inodes = this.#inodes.get(stat.dev) ?? [];
    this.#inodes.set(stat.dev, inodes);
    inodes.push(stat.ino);
    if (isDeep && stat.isDirectory) this.#enter(path, identity);
  }

  /** Links may form a cycle. */
  #enter(path: string, identity: string): void {
    if (this.#above.has(identity)) return;
    this.#above.add(identity);
    for (const name of namesIn(path)) this.add(join(path, name), true);
    this.#above.delete(identity);
  }

  sorted(): Map<number, Float64Array> {
    return new Map(
      [...this.#inodes].map(([dev, inodes]) => [dev, Float64Array.from(inodes).sort()]),
    );
  }
}

function identityOf(stat: Deno.FileInfo | undefined): string | undefined {
  return stat === undefined || stat.ino === null ? undefined : `${stat.dev}:${stat.ino}`;
}

function statusOf(path: string): Deno.FileInfo | undefined {
  return ifAccessible("Cannot look at", path, () => Deno.statSync(path));
}

function namesIn(path: string): string[] {
  const list = () => [...Deno.readDirSync(path)].map((entry) => entry.name);
  return ifAccessible("Cannot list", path, list) ?? [];
}

/** Undefined for what does not exist or this user cannot read: no export can read it either. */
function ifAccessible<T>(action: string, path: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    const codes = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP"];
    if (codes.includes(errnoOf(error))) return undefined;
    throw ioError(action, path, error);
  }
}

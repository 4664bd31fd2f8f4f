/**
 * Unpacks a payload while it is verified: files are written and synced in `.stella-<uuid>.partial/`
 * inside the target directory and renamed into place after a good verdict. The directory must be
 * empty, so nothing is ever replaced; the next unpack removes the partial folder of one that was
 * killed.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
} from "node:fs";
import { join } from "node:path";
import { makeDirectories, rename, syncDirectory, writeAll } from "../domain/durable.ts";
import { shown } from "../domain/names.ts";
import { SyncQueue, type SyncQueueOptions, type Unsynced } from "./sync_queue.ts";
import { StellaError } from "../domain/errors.ts";
import { errnoOf, ioError } from "../domain/io_errors.ts";
import { clearFolder, lockPartial, lstatIfThere, partialPattern } from "./recovery.ts";
import { NameList } from "./name_list.ts";

export interface UnpackTarget extends SyncQueueOptions {
  /** New or empty; missing parents are created. */
  directory: string;
  uuid: string;
  /**
   * Number of payload files and their total size according to the manifest: nothing beyond that is
   * written.
   */
  files: number;
  bytes: number;
}

export interface UnpackedFile {
  path: string;
  /** 0o644 or 0o755. */
  mode: number;
  /** Size of the content in bytes. */
  size: number;
}

interface OpenFile {
  fd: number;
  path: string;
  /** Bytes written since the last sync. */
  unsynced: number;
}

/**
 * Large files are synced each time this many bytes were written, so that little is left at the end.
 */
const syncEvery = 32 * 1024 * 1024;
/**
 * In the partial folder: the top-level names of the payload, one per line. Exports use another
 * record.
 */
const listName = "unpacked";
const payloadName = "payload";

/**
 * @throws StellaError conflict if the directory holds anything except partial folders of ended
 * unpacks
 */
export function refuseNonEmpty(directory: string): void {
  const stat = lstatIfThere(directory);
  if (stat === undefined) return;
  const names = doing("Cannot list", directory, () => readdirSync(directory));
  const others = names.filter((name) => !partialPattern.test(name));
  if (others.length === 0) return;
  const text = `Cannot unpack into ${shown(directory)}: the directory holds ${shown(others[0]!)}`;
  throw new StellaError("output_exists", text, {
    hint: names.length === others.length
      ? "choose a new or empty directory"
      : "choose another directory, or remove the files that an interrupted unpack left there",
  });
}

/** One unpack, from start to end. */
export class Unpacked {
  readonly #partial: string;
  readonly #payload: string;
  readonly #lock: Deno.FsFile;
  readonly #isNew: boolean;
  readonly #list: NameList;
  readonly #syncs: SyncQueue;
  /**
   * Directories of the last written file: paths are sorted, so each directory is left only once.
   */
  #folders: string[] = [];
  #top: string | undefined;
  #file: OpenFile | undefined;
  #files = 0;
  #bytes = 0;
  #isExceeded = false;
  #isDone = false;

  /** @throws StellaError busy if another unpack is running there, conflict, io */
  constructor(readonly place: UnpackTarget) {
    const { directory, uuid } = place;
    refuseNonEmpty(directory);
    this.#isNew = lstatIfThere(directory) === undefined;
    this.#syncs = new SyncQueue(place);
    this.#partial = join(directory, `.stella-${uuid}.partial`);
    this.#payload = join(this.#partial, payloadName);
    makeDirectories(directory);
    makeFolder(this.#partial);
    this.#lock = lockOf(this.#partial, directory);
    try {
      clearEnded(directory, this.#partial);
      makeFolder(this.#payload);
      this.#list = new NameList(join(this.#partial, listName));
    } catch (error) {
      this.#clear();
      throw error;
    }
  }

  /**
   * More data arrived than the manifest declares: nothing more is written and nothing is committed.
   */
  get isExceeded(): boolean {
    return this.#isExceeded;
  }

  /** Whether the disk keeps up with the writer; otherwise wait for `ready`. */
  get isReady(): boolean {
    return this.#syncs.isReady;
  }

  /** @throws StellaError io */
  ready(): Promise<void> {
    return this.#syncs.ready();
  }

  /**
   * Starts the next file; paths are safe, sorted and unique.
   * @returns a writer for its content; undefined if the payload exceeds what the manifest declares
   * @throws StellaError io, unsafe
   */
  begin({ path, mode, size }: UnpackedFile): ((piece: Uint8Array) => void) | undefined {
    this.#endFile();
    this.#files++;
    this.#isExceeded ||= this.#files > this.place.files || this.#bytes + size > this.place.bytes;
    if (this.#isExceeded) return undefined;
    const parts = path.split("/");
    this.#enter(parts.slice(0, -1));
    this.#note(parts[0]!);
    const full = join(this.#payload, path);
    const fd = open(full, "wx", mode);
    const file: OpenFile = this.#file = { fd, path: full, unsynced: 0 };
    doing("Cannot set the mode of", full, () => fchmodSync(fd, mode));
    return (piece) => this.#write(file, piece);
  }

  /** Resolves when everything is on the disk; call it before `commit`. @throws StellaError io */
  async synced(): Promise<void> {
    this.#endFile();
    this.#enter([]);
    this.#sync(this.#payload, "directory");
    await this.#syncs.finish();
  }

  /**
   * Renames the files into place. Call this only after a good verdict.
   * @throws StellaError conflict, io
   */
  commit(): void {
    if (this.#isExceeded) {
      throw new StellaError("defect", "Cannot unpack: the payload exceeds what is declared");
    }
    try {
      for (const name of this.#list.names()) this.#move(name);
    } catch (error) {
      this.#undo();
      throw error;
    }
    syncDirectory(this.place.directory);
    this.#isDone = true;
  }

  /** Ends the unpack, after a commit too; without a commit the directory is unchanged. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file.fd);
    this.#list.close();
    this.#clear();
  }

  #clear(): void {
    try {
      clearFolder(this.#partial);
    } finally {
      this.#lock.close();
    }
    if (!this.#isNew || this.#isDone) return;
    try {
      rmdirSync(this.place.directory);
    } catch { /* somebody else put something there meanwhile */ }
  }

  #write(file: OpenFile, piece: Uint8Array): void {
    this.#isExceeded ||= this.#bytes + piece.length > this.place.bytes;
    if (this.#isExceeded) return;
    doing("Cannot write", file.path, () => writeAll(file.fd, piece));
    this.#bytes += piece.length;
    file.unsynced += piece.length;
    if (file.unsynced < syncEvery) return;
    this.#sync(file.path, "part of a file", file.unsynced);
    file.unsynced = 0;
  }

  #endFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    doing("Cannot write", file.path, () => closeSync(file.fd));
    this.#sync(file.path, "file", file.unsynced);
  }

  #sync(path: string, kind: Unsynced["kind"], bytes = 0): void {
    this.#syncs.add({ path, kind, bytes });
  }

  /** Creates new directories and syncs those that are complete. */
  #enter(folders: readonly string[]): void {
    let same = 0;
    while (same < folders.length && folders[same] === this.#folders[same]) same++;
    for (let depth = this.#folders.length; depth > same; depth--) {
      this.#sync(join(this.#payload, ...this.#folders.slice(0, depth)), "directory");
    }
    for (let depth = same + 1; depth <= folders.length; depth++) {
      makeFolder(join(this.#payload, ...folders.slice(0, depth)));
    }
    this.#folders = [...folders];
  }

  #note(name: string): void {
    if (name === this.#top) return;
    this.#top = name;
    this.#list.add(name);
  }

  #move(name: string): void {
    const target = join(this.place.directory, name);
    if (lstatIfThere(target) !== undefined) {
      throw new StellaError(
        "output_exists",
        `Cannot unpack ${shown(name)}: a file with this name was created meanwhile`,
      );
    }
    rename(join(this.#payload, name), target);
  }

  /**
   * Whatever fails here, the first error says more; the folder is then cleared with what came back
   * to it.
   */
  #undo(): void {
    for (const name of this.#list.names()) {
      const from = join(this.#payload, name);
      if (lstatIfThere(from) !== undefined) return;
      try {
        rename(join(this.place.directory, name), from);
      } catch { /* it stays where it is */ }
    }
  }
}

/** Removes the folders of unpacks and exports that have ended. */
function clearEnded(directory: string, own: string): void {
  for (const name of readdirSync(directory).filter((one) => partialPattern.test(one))) {
    const folder = join(directory, name);
    if (folder === own || !lstatIfThere(folder)?.isDirectory()) continue;
    const lock = lockOf(folder, directory);
    try {
      clearFolder(folder);
    } finally {
      lock.close();
    }
  }
}

function lockOf(folder: string, directory: string): Deno.FsFile {
  const lock = lockPartial(folder);
  if (lock !== undefined) return lock;
  const text = `Cannot unpack into ${shown(directory)}: another unpack is running there`;
  throw new StellaError("directory_held", text, {
    hint: "wait until it has ended, or choose another directory",
  });
}

function makeFolder(path: string): void {
  doing("Cannot make the directory", path, () => {
    mkdirSync(path);
    chmodSync(path, 0o755);
  });
}

function open(path: string, flags: string, mode: number): number {
  return doing("Cannot make", path, () => openSync(path, flags, mode));
}

/**
 * Two names of a bundle may be one on the target, which does not tell cases or forms of letters
 * apart.
 */
function doing<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw ioError(action, path, error);
    throw new StellaError("case_collision", `${action} ${shown(path)}: the name is taken already`, {
      hint: "unpack to another file system: this one cannot tell two names of the bundle apart",
    });
  }
}

/**
 * Unpacks a payload while it is verified: files are written and synced in a partial folder inside
 * the target directory and renamed into place after a good verdict. The directory must be empty, so
 * nothing is ever replaced.
 */
import { closeSync, fchmodSync, openSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { rename, syncDirectory, writeAll } from "../domain/durable.ts";
import { shown } from "../domain/names.ts";
import { SyncQueue, type SyncQueueOptions, type Unsynced } from "./sync_queue.ts";
import { StellaError } from "../domain/errors.ts";
import { errnoOf, tryIo } from "../domain/io_errors.ts";
import { isPartialName, lstatIfThere, makeFolder, PartialFolder } from "./partial_folder.ts";
import { NameList } from "./name_list.ts";

export interface UnpackTarget extends SyncQueueOptions {
  /** New or empty; missing parents are created. */
  directory: string;
  uuid: string;
  /** Payload files and their total size in the manifest: nothing beyond that is written. */
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

/** Bytes after which a large file is synced, so that little is left at the end. */
const syncEvery = 32 * 1024 * 1024;
/** In the partial folder: the top-level names of the payload, one per line. */
const listName = "unpacked";
const payloadName = "payload";

/** @throws StellaError conflict if the directory holds anything but partial folders */
export function refuseNonEmpty(directory: string): void {
  if (lstatIfThere(directory) === undefined) return;
  const names = tryIo("Cannot list", directory, () => readdirSync(directory));
  const others = names.filter((name) => !isPartialName(name));
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
  readonly #partial: PartialFolder;
  readonly #payload: string;
  readonly #isNew: boolean;
  readonly #list: NameList;
  readonly #syncs: SyncQueue;
  /** Those of the last written file: paths are sorted, so each directory is left only once. */
  #folders: string[] = [];
  #top: string | undefined;
  #file: OpenFile | undefined;
  #files = 0;
  #bytes = 0;
  /** More arrived than the manifest declares: nothing more is written, nothing is committed. */
  isExceeded = false;
  #isDone = false;

  /** @throws StellaError busy if another unpack is running there, conflict, io */
  constructor(readonly place: UnpackTarget) {
    const { directory, uuid } = place;
    refuseNonEmpty(directory);
    this.#isNew = lstatIfThere(directory) === undefined;
    this.#syncs = new SyncQueue(place);
    this.#partial = new PartialFolder(directory, uuid, {
      action: "Cannot unpack into",
      other: "another unpack",
    });
    this.#payload = join(this.#partial.path, payloadName);
    try {
      this.#partial.clearOthers();
      makeFolder(this.#payload);
      this.#list = new NameList(join(this.#partial.path, listName));
    } catch (error) {
      this.#clear();
      throw error;
    }
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
    this.isExceeded ||= this.#files > this.place.files || this.#bytes + size > this.place.bytes;
    if (this.isExceeded) return undefined;
    const parts = path.split("/");
    this.#enter(parts.slice(0, -1));
    this.#note(parts[0]!);
    const full = join(this.#payload, path);
    const fd = tryNew("Cannot make", full, () => openSync(full, "wx", mode));
    const file: OpenFile = this.#file = { fd, path: full, unsynced: 0 };
    tryIo("Cannot set the mode of", full, () => fchmodSync(fd, mode));
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
    if (this.isExceeded) {
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
    this.#partial.close();
    if (!this.#isNew || this.#isDone) return;
    try {
      rmdirSync(this.place.directory);
    } catch { /* somebody else put something there meanwhile */ }
  }

  #write(file: OpenFile, piece: Uint8Array): void {
    this.isExceeded ||= this.#bytes + piece.length > this.place.bytes;
    if (this.isExceeded) return;
    tryIo("Cannot write", file.path, () => writeAll(file.fd, piece));
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
    tryIo("Cannot write", file.path, () => closeSync(file.fd));
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
      const path = join(this.#payload, ...folders.slice(0, depth));
      tryNew("Cannot make the directory", path, () => makeFolder(path));
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
      const text = `Cannot unpack ${shown(name)}: a file with this name was created meanwhile`;
      throw new StellaError("output_exists", text, {
        hint: "find out what created it, then unpack into a new or empty directory",
      });
    }
    rename(join(this.#payload, name), target);
  }

  /** Whatever fails here, the first error says more. */
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

/**
 * As `tryIo`, for a new file or directory of the payload. If it exists already, two names of the
 * bundle are one on the target, which does not tell cases or forms of letters apart.
 */
function tryNew<T>(action: string, path: string, make: () => T): T {
  try {
    return tryIo(action, path, make);
  } catch (error) {
    if (!(error instanceof StellaError) || errnoOf(error.cause) !== "EEXIST") throw error;
    throw new StellaError("case_collision", `${action} ${shown(path)}: the name is already taken`, {
      hint: "unpack to another file system: this one cannot tell two names of the bundle apart",
    });
  }
}

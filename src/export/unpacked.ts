/**
 * A payload on its way into a directory, while it is verified: everything is written in `.stella-<uuid>.partial/` inside it, and
 * gets its names when the verdict was good. The directory has to be empty, so nothing is ever replaced; what a killed unpack
 * left in its own folder is cleared by the next one.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
} from "node:fs";
import { join } from "node:path";
import { rename, syncDirectory, writeAll } from "../bundle/durable.ts";
import { shown } from "../bundle/names.ts";
import { ioError, StellaError } from "../errors.ts";
import { clearFolder, lockPartial, partialPattern, present } from "./leftovers.ts";

export interface UnpackPlace {
  /** New or empty; missing parents are made. */
  directory: string;
  uuid: string;
  /** Payload files that will come; above `mostSynced` they are not synced one by one. */
  files: number;
}

export interface UnpackedFile {
  path: string;
  /** 0o644 or 0o755. */
  mode: number;
}

/** A million syncs would take hours: above this the directories alone are synced. */
const mostSynced = 10_000;
/** In the folder of an unpack: the names that go directly into the directory, a line each. Exports read another note. */
const listName = "unpacked";
const payloadName = "payload";

/** @throws StellaError usage where the directory holds anything but what ended unpacks left */
export function refuseFilled(directory: string): void {
  const stat = present(directory);
  if (stat === undefined) return;
  const names = doing("Cannot list", directory, () => readdirSync(directory));
  const others = names.filter((name) => !partialPattern.test(name));
  if (others.length === 0) return;
  const text = `Cannot unpack into ${shown(directory)}: it holds ${shown(others[0]!)}`;
  throw new StellaError("usage", text, {
    hint: names.length === others.length
      ? "name a directory that is new or empty"
      : "an unpack was interrupted there while it gave the names: remove what it left, or name another directory",
  });
}

/** One unpack, from its start to its end. */
export class Unpacked {
  readonly #partial: string;
  readonly #payload: string;
  readonly #lock: Deno.FsFile;
  readonly #isNew: boolean;
  readonly #isSynced: boolean;
  readonly #list: number;
  /** The directories of the file that was written last: paths are sorted, so that a directory is left but once. */
  #folders: string[] = [];
  #top: string | undefined;
  #file: { fd: number; path: string } | undefined;
  #isDone = false;

  /** @throws StellaError usage where another unpack runs there, media */
  constructor(readonly place: UnpackPlace) {
    const { directory, uuid, files } = place;
    refuseFilled(directory);
    this.#isNew = present(directory) === undefined;
    this.#isSynced = files <= mostSynced;
    this.#partial = join(directory, `.stella-${uuid}.partial`);
    this.#payload = join(this.#partial, payloadName);
    makeFolder(directory, true);
    makeFolder(this.#partial);
    this.#lock = lockOf(this.#partial, directory);
    try {
      clearEnded(directory, this.#partial);
      makeFolder(this.#payload);
      this.#list = open(join(this.#partial, listName), "wx+", 0o644);
    } catch (error) {
      this.#clear();
      throw error;
    }
  }

  /** Begins the next file; paths are safe, sorted, and come once. @returns who takes its content @throws StellaError media, usage */
  begin({ path, mode }: UnpackedFile): (piece: Uint8Array) => void {
    this.#endFile();
    const parts = path.split("/");
    this.#enter(parts.slice(0, -1));
    this.#note(parts[0]!);
    const full = join(this.#payload, path);
    const fd = open(full, "wx", mode);
    this.#file = { fd, path: full };
    doing("Cannot set the mode of", full, () => fchmodSync(fd, mode));
    return (piece) => doing("Cannot write", full, () => writeAll(fd, piece));
  }

  /** Gives the files their names. Only to be called after a verdict that is good. @throws StellaError usage, media */
  commit(): void {
    this.#endFile();
    this.#enter([]);
    if (this.#isSynced) syncDirectory(this.#payload);
    try {
      for (const name of this.#names()) this.#move(name);
    } catch (error) {
      this.#undo();
      throw error;
    }
    syncDirectory(this.place.directory);
    this.#isDone = true;
  }

  /** Ends it, after a commit too; without one the directory is as it was. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file.fd);
    closeSync(this.#list);
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

  #endFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    doing("Cannot write", file.path, () => {
      try {
        if (this.#isSynced) fsyncSync(file.fd);
      } finally {
        closeSync(file.fd);
      }
    });
  }

  /** Makes what is new of the directories, and syncs those that are left. */
  #enter(folders: readonly string[]): void {
    let same = 0;
    while (same < folders.length && folders[same] === this.#folders[same]) same++;
    for (let depth = this.#folders.length; this.#isSynced && depth > same; depth--) {
      syncDirectory(join(this.#payload, ...this.#folders.slice(0, depth)));
    }
    for (let depth = same + 1; depth <= folders.length; depth++) {
      makeFolder(join(this.#payload, ...folders.slice(0, depth)));
    }
    this.#folders = [...folders];
  }

  #note(name: string): void {
    if (name === this.#top) return;
    this.#top = name;
    const path = join(this.#partial, listName);
    doing("Cannot write", path, () => writeAll(this.#list, new TextEncoder().encode(`${name}\n`)));
  }

  #move(name: string): void {
    const target = join(this.place.directory, name);
    if (present(target) !== undefined) {
      throw new StellaError("usage", `Cannot unpack ${shown(name)}: something else took the name`);
    }
    rename(join(this.#payload, name), target);
  }

  /** Whatever fails here, the first error says more; the folder is then cleared with what came back to it. */
  #undo(): void {
    for (const name of this.#names()) {
      const from = join(this.#payload, name);
      if (present(from) !== undefined) return;
      try {
        rename(join(this.place.directory, name), from);
      } catch { /* it stays where it is */ }
    }
  }

  /** The noted names, read in blocks: there may be a million. */
  *#names(): Generator<string> {
    const block = new Uint8Array(64 * 1024);
    const text = new TextDecoder();
    let rest = "";
    for (let at = 0;;) {
      const length = doing("Cannot read", this.#partial, () => {
        return readSync(this.#list, block, 0, block.length, at);
      });
      if (length === 0) return;
      at += length;
      const lines = (rest + text.decode(block.subarray(0, length), { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  }
}

/** Removes the folders of unpacks and exports that have ended. */
function clearEnded(directory: string, own: string): void {
  for (const name of readdirSync(directory).filter((one) => partialPattern.test(one))) {
    const folder = join(directory, name);
    if (folder === own || !present(folder)?.isDirectory()) continue;
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
  throw new StellaError("usage", `Cannot unpack into ${shown(directory)}: another one runs there`, {
    hint: "wait for it, or name another directory",
  });
}

function makeFolder(path: string, recursive = false): void {
  if (recursive && present(path) !== undefined) return;
  doing("Cannot make the directory", path, () => {
    mkdirSync(path, { recursive });
    chmodSync(path, 0o755);
  });
}

function open(path: string, flags: string, mode: number): number {
  return doing("Cannot make", path, () => openSync(path, flags, mode));
}

/** Two names of a bundle may be one on the target, which does not tell cases or forms of letters apart. */
function doing<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw ioError(action, path, error);
    throw new StellaError("unsafe", `${action} ${shown(path)}: the name is taken already`, {
      hint: "the target takes two names of the bundle for one: unpack onto another file system",
    });
  }
}

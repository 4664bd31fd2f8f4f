/**
 * The output directory: everything is written in `.stella-<uuid>.partial/` inside it, synced, then takes its name, the manifest
 * last. A failed or killed export never looks finished, and never destroys the bundle that stood there.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { join, sep } from "node:path";
import { ioError, StellaError } from "../errors.ts";
import { rename, syncDirectory } from "../bundle/durable.ts";
import { attestationName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../bundle/names.ts";
import { readManifest } from "../bundle/read_manifest.ts";

const oldName = "manifest.json.old";
const payloadName = "payload";

export interface PlaceOptions {
  directory: string;
  profile: string;
  tenant: string;
  /** Replace whatever stands in the way. */
  force: boolean;
  uuid: string;
}

/** The output directory of one export, from its start to its end. */
export class Place {
  /** Where the export writes. */
  readonly partial: string;
  readonly #lock: Deno.FsFile;
  readonly #old: Manifest | undefined;

  /** @throws StellaError usage where something else is in the way or another export runs there */
  constructor(readonly options: PlaceOptions) {
    const { directory } = options;
    makeDirectory(directory);
    clearLeftovers(directory);
    this.#old = this.#replaced();
    this.partial = join(directory, `.stella-${options.uuid}.partial`);
    makeDirectory(this.partial);
    this.#lock = lock(this.partial);
  }

  /** Refuses, before any work is done, names that the export will need and that something else has. */
  check(names: readonly string[]): void {
    const { directory, force } = this.options;
    const mine = new Set([...(this.#old?.files.map((f) => f.path) ?? []), attestationName]);
    if (this.#old === undefined) mine.delete(attestationName);
    else if (this.#old.payload.layout === "directory") mine.add(payloadName);
    const taken = readdirSync(directory).filter((name) => {
      return names.some((n) => name === n || name.startsWith(`${n}.0`)) && !mine.has(name);
    });
    if (taken.length === 0 || force) return;
    throw inTheWay(directory, taken);
  }

  /** Gives all files of `partial` their names, the manifest last, and takes away what only the old bundle had. */
  commit(names: readonly string[]): void {
    const { directory } = this.options;
    this.#lock.close();
    rmSync(join(this.partial, lockName), { force: true });
    syncDirectory(this.partial);
    const manifest = join(directory, manifestName);
    if (existsSync(manifest)) rename(manifest, join(directory, oldName));
    for (const name of names.filter((n) => n !== manifestName)) this.#take(name);
    syncDirectory(directory);
    rename(join(this.partial, manifestName), manifest);
    syncDirectory(directory);
    this.#clearOld(names);
  }

  /** Leaves the directory as it was. */
  abandon(): void {
    try {
      this.#lock.close();
    } catch { /* it was closed by commit */ }
    rmSync(this.partial, { recursive: true, force: true });
  }

  #take(name: string): void {
    const target = join(this.options.directory, name);
    // Only a directory cannot be renamed over: the old payload goes into the partial folder first.
    if (name === payloadName && existsSync(target)) rename(target, join(this.partial, "old"));
    rename(join(this.partial, name), target);
  }

  #clearOld(names: readonly string[]): void {
    const { directory } = this.options;
    const kept = new Set([...names, manifestName]);
    const listed = this.#old?.files.map((file) => file.path) ?? [];
    for (const path of listed.filter((one) => !kept.has(one))) {
      rmSync(join(directory, path), { force: true });
    }
    if (this.#old?.payload.layout === "directory" && !kept.has(payloadName)) {
      rmSync(join(directory, payloadName), { recursive: true, force: true });
    }
    rmSync(join(directory, oldName), { force: true });
    rmSync(this.partial, { recursive: true, force: true });
    syncDirectory(directory);
  }

  /** The bundle that stands there, if it may be replaced. */
  #replaced(): Manifest | undefined {
    const { directory, profile, tenant, force } = this.options;
    for (const name of [manifestName, oldName]) {
      const path = join(directory, name);
      if (!existsSync(path)) continue;
      const old = tryManifest(path);
      if (old?.profile === profile && old.tenant === tenant) return old;
      if (force) return old;
      throw inTheWay(directory, [name]);
    }
    return undefined;
  }
}

function tryManifest(path: string): Manifest | undefined {
  try {
    return readManifest(readFileSync(path));
  } catch {
    return undefined;
  }
}

function inTheWay(directory: string, names: string[]): StellaError {
  const list = names.map((name) => shown(name)).join(", ");
  return new StellaError("usage", `Cannot export into ${shown(directory)}: ${list} is in the way`, {
    hint: "it is not an earlier bundle of this profile and tenant: choose another directory, or replace it with --force",
  });
}

function makeDirectory(path: string): void {
  try {
    if (existsSync(path)) return;
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o755);
  } catch (error) {
    throw ioError("Cannot make the directory", path, error);
  }
}

const lockName = "lock";
const partialPattern = /^\.stella-[0-9a-f-]{36}\.partial$/;

/** Removes what killed exports left; a folder whose lock is held belongs to an export that runs. */
function clearLeftovers(directory: string): void {
  for (const name of readdirSync(directory).filter((one) => partialPattern.test(one))) {
    const folder = join(directory, name);
    const held = tryLock(folder);
    if (held === undefined) {
      throw new StellaError("usage", `Cannot export into ${shown(directory)}: another export runs there`, {
        hint: "wait for it, or choose another directory",
      });
    }
    held.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function lock(folder: string): Deno.FsFile {
  const held = tryLock(folder);
  if (held !== undefined) return held;
  throw new StellaError("internal", `Cannot lock ${shown(folder)}`);
}

function tryLock(folder: string): Deno.FsFile | undefined {
  const file = Deno.openSync(join(folder, lockName), { create: true, write: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  return undefined;
}

/** An output inside an input would pack itself. @throws StellaError usage */
export function refuseInside(directory: string, inputs: readonly string[]): void {
  const out = existing(directory);
  for (const input of inputs) {
    const root = existing(input);
    if (out !== root && !out.startsWith(root.endsWith(sep) ? root : root + sep)) continue;
    throw new StellaError("usage", `Cannot export into ${shown(directory)}: it lies in the input ${shown(input)}`, {
      hint: "the bundle would pack itself: choose a directory outside of the inputs",
    });
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

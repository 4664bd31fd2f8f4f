/**
 * Combines the inputs of a payload, directories, files and built-in entries, into one tree. Two
 * inputs may share a directory, but never a file.
 */
import { lstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type Finding, StellaError } from "../../domain/errors.ts";
import { tryIo } from "../../domain/io_errors.ts";
import { carriedName } from "../../bundle/carried_names.ts";
import {
  asInput,
  inputChanged,
  type InputFile,
  type InputFolder,
  statFolder,
  statInput,
} from "../../bundle/input_file.ts";
import { shown } from "../../domain/names.ts";
import { pathFault } from "../../domain/paths.ts";
import { type ByteReader, kindOf } from "../../bundle/source.ts";
import type { Digest } from "../../domain/hash.ts";
import type { FilesSource } from "../../config/profile.ts";
import { type Selection, selectionOf } from "./selection.ts";

/** Content that is not in a local file. */
export type BuiltinEntry = { path: string } & Content;

type Content = { bytes: Uint8Array } | { blob: RemoteBlob };

/** Content that is fetched while it is packed. */
export interface RemoteBlob {
  /** Bytes. */
  size: number;
  digest: Digest;
  open(): Promise<ByteReader>;
}

/** Source of the bytes of a payload file. `source` is the number of the input, from 0. */
export type Origin =
  & { source: number }
  & ({ file: string; folder: InputFolder } | Content);

/** A local directory that is part of a payload directory. */
export interface RealFolder {
  folder: InputFolder;
  source: number;
  /** Its path below its source: empty, or ending in `/`. */
  below: string;
  /** What is packed; undefined: everything. */
  selection: Selection | undefined;
  encodeNames: boolean | undefined;
  /** Real paths of its ancestors and of itself, if links are followed. */
  chain: readonly string[];
}

/** A directory of the payload: overlaid local directories, and children named by inputs. */
export interface Folder {
  real: RealFolder[];
  folders: Map<string, Folder>;
  files: Map<string, Origin>;
}

export function emptyFolder(): Folder {
  return { real: [], folders: new Map(), files: new Map() };
}

/** @throws StellaError usage, unsafe, io: with the faults of all inputs */
export function layOut(sources: readonly FilesSource[], builtin: readonly BuiltinEntry[]): Folder {
  const root = emptyFolder();
  builtin.forEach(({ path, ...content }) => place(root, path, { source: 0, ...content }));
  const own = builtin.length > 0 ? 1 : 0;
  const faults = sources.flatMap((source, i) => {
    const error = errorOf(() => addSource(root, source, own + i));
    return error === undefined ? [] : [{ path: source.path, error }];
  });
  const [first] = faults;
  if (first === undefined) return root;
  if (faults.length === 1) throw first.error;
  const findings = faults.map(({ path, error }): Finding => {
    const { kind, reason, message: found, hint } = error;
    return { kind, reason, path, found, ...(hint === undefined ? {} : { hint }) };
  });
  const text = `Cannot export: ${faults.length} of the inputs cannot be packed`;
  const hint = "fix the inputs above, or leave them out";
  throw new StellaError(first.error.reason, text, { findings, hint });
}

function errorOf(work: () => void): StellaError | undefined {
  try {
    return void work();
  } catch (error) {
    if (error instanceof StellaError) return error;
    throw error;
  }
}

export const prefixHint = "put one of them below a prefix: --input PREFIX=PATH";

function addSource(root: Folder, source: FilesSource, index: number): void {
  const { path } = source;
  const stat = tryIo("Cannot read the input", path, () => lstatSync(path));
  const prefix = checkPrefix(source.prefix);
  const selection = selectionOf(source);
  if (stat.isFile()) {
    const name = basename(path);
    if (selection?.takes(name) === false) return;
    const carried = source.encodeNames ? carriedName(name) : name;
    const origin = { source: index, file: path, folder: statFolder(dirname(path)) };
    return place(root, prefix + carried, origin);
  }
  if (stat.isDirectory()) {
    const folder = prefix === "" ? root : folderAt(root, prefix.slice(0, -1).split("/"));
    const top = selection?.root ?? statFolder(path);
    const { encodeNames } = source;
    const chain = [top.path];
    folder.real.push({ folder: top, source: index, below: "", selection, encodeNames, chain });
    return;
  }
  throw new StellaError("unsafe_entry", `Cannot pack ${shown(path)}: it is ${kindOf(stat)}`, {
    hint: "give the file or directory that it points to",
  });
}

function checkPrefix(prefix: string | undefined): string {
  if (prefix === undefined) return "";
  const clean = prefix.replace(/\/$/, "");
  const fault = pathFault(clean);
  if (fault === undefined) return `${clean}/`;
  throw new StellaError("argument_invalid", `Cannot use the prefix ${shown(prefix)}: ${fault}`, {
    hint: "choose a relative directory whose name every system can hold",
  });
}

function folderAt(root: Folder, parts: string[]): Folder {
  let folder = root;
  for (const part of parts) folder = folder.folders.getOrInsertComputed(part, emptyFolder);
  return folder;
}

function place(root: Folder, path: string, origin: Origin): void {
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  const folder = folderAt(root, parts);
  if (!folder.files.has(name)) return void folder.files.set(name, origin);
  const what = `Cannot pack two inputs under the same name ${shown(path)}`;
  throw new StellaError("input_duplicate", what, { hint: prefixHint });
}

export interface OriginStat {
  size: number;
  /** Whole seconds. */
  mtime: number;
  executable: boolean;
  /** Undefined: it is no local file. */
  input?: InputFile;
}

/** Follows no link. @throws StellaError usage where it is no regular file any more */
export function statOrigin(origin: Origin): OriginStat {
  if ("bytes" in origin) return { size: origin.bytes.length, mtime: 0, executable: false };
  if ("blob" in origin) return { size: origin.blob.size, mtime: 0, executable: false };
  const stat = statInput(origin.file);
  if (!stat.isFile) throw inputChanged(origin.file);
  const input = asInput(origin.file, stat, origin.folder);
  return {
    size: stat.size,
    mtime: Math.floor(input.mtime / 1000),
    executable: ((stat.mode ?? 0) & 0o100) !== 0,
    input,
  };
}

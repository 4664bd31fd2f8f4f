/**
 * The plan of an export. One walk over the inputs determines the totals, the timestamp of the
 * bundle and everything that cannot be packed.
 */
import { statSync } from "node:fs";
import { type Finding, finding, StellaError, worstOf } from "../domain/errors.ts";
import { privateInput, privateReason } from "../bundle/input_file.ts";
import { shown } from "../domain/names.ts";
import { pathFault } from "../domain/paths.ts";
import type { PrivateFiles } from "../bundle/private_files.ts";
import { blockSize, paddingOf } from "../bundle/tar_header.ts";
import { createdText, earliestCreated, latestCreated } from "../domain/time.ts";
import type { FilesSource } from "../config/profile.ts";
import { type Folder, layOut, type OriginStat, statOrigin } from "./sources/inputs.ts";
import type { EmptyDirectories } from "./report.ts";
import { type ExportSpec, localInputs } from "./spec.ts";
import { renameHint, walk } from "./sources/walk.ts";

export interface Plan {
  readonly spec: ExportSpec;
  readonly tree: Folder;
  /** Names of the sources for the attestation: their prefix or number, never a local path. */
  readonly sources: string[];
  /** By source: the expected digest of its index lines, if known. */
  readonly expected: (string | undefined)[];
  readonly files: number;
  readonly bytes: number;
  /** Minimum size of the tar in bytes: long names need additional records. */
  readonly tarBytes: number;
  readonly indexBytes: number;
  readonly largest: { path: string; size: number };
  /** Seconds since 1970. */
  readonly created: number;
  /** mtime of the newest input, seconds since 1970. */
  readonly newest: number;
  /** What a bundle cannot contain. */
  readonly empty: EmptyDirectories;
}

/** Faults and empty directories that are listed; all are counted. */
const maxListed = 1000;

/** @throws StellaError usage if there is nothing to pack, unsafe with all that cannot be packed */
export function planExport(spec: ExportSpec): Plan {
  const { builtin, privateFiles } = spec;
  const sources = localInputs(spec);
  refusePrivate(sources, privateFiles);
  const tree = layOut(sources, builtin);
  const faults: Finding[] = [];
  const empty: EmptyDirectories = { count: 0, paths: [] };
  const totals = new Totals();
  let faultCount = 0;
  const fault = (finding: Finding) => {
    if (++faultCount <= maxListed) faults.push(finding);
  };
  const onEmpty = (path: string) => {
    if (++empty.count <= maxListed) empty.paths.push(path);
  };
  for (const { path, origin } of walk(tree, fault, onEmpty)) {
    // The walk has checked every part; only the total length remains.
    const whole = path.length > 1000 ? pathFault(path) : undefined;
    if (whole !== undefined) {
      fault(finding("unsafe_name", { path, found: whole, hint: renameHint }));
    }
    const stat = statOrigin(origin);
    // Only mistakes of the user are found here: a handle is compared again when it is opened.
    if (stat.input && privateFiles.has({ ...stat.input, changed: 0 })) fault(privateEntry(path));
    totals.add(path, stat);
  }
  if (faultCount > 0) throw refused(faultCount, faults);
  if (totals.files === 0) throw nothing(sources);
  const created = checkCreated(spec.created === "newest" ? totals.newest : spec.created);
  const own = builtin.length > 0;
  return Object.freeze({
    spec,
    tree,
    sources: [
      ...(own ? [spec.images.length > 0 ? "images" : "builtin"] : []),
      ...sources.map(({ prefix }, i) => prefix ?? `source-${i + 1}`),
    ],
    expected: [...(own ? [undefined] : []), ...sources.map(({ sha256 }) => sha256)],
    ...{ ...totals, created, empty },
  });
}

class Totals {
  files = 0;
  bytes = 0;
  /** Including its two end blocks. */
  tarBytes = 2 * blockSize;
  indexBytes = 0;
  newest = 0;
  largest = { path: "", size: 0 };

  add(path: string, { size, mtime }: OriginStat): void {
    this.files++;
    this.bytes += size;
    this.tarBytes += blockSize + size + paddingOf(size);
    this.indexBytes += Buffer.byteLength(path) + indexLineBytes;
    this.newest = Math.max(this.newest, mtime);
    if (size > this.largest.size) this.largest = { path, size };
  }
}

/** Bytes of an index line apart from the path: SHA-256, two spaces, line feed. */
const indexLineBytes = 67;

/** A private file that was named directly gets its own message. @throws StellaError unsafe */
function refusePrivate(sources: readonly FilesSource[], privateFiles: PrivateFiles): void {
  for (const { path } of sources) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && privateFiles.has({ dev: stat.dev, ino: stat.ino, changed: 0 })) {
      throw privateInput(path);
    }
  }
}

function privateEntry(path: string): Finding {
  const hint = "leave it out: name other inputs, or use --exclude";
  return finding("private_file", { path, found: privateReason, hint });
}

function refused(count: number, faults: Finding[]): StellaError {
  const what = count === 1 ? "1 entry" : `${count} entries`;
  const isName = faults.some(({ reason }) => ["unsafe_name", "case_collision"].includes(reason));
  const hint = isName
    ? "rename the files, since some systems cannot hold these names: see stella docs format"
    : undefined;
  const worst = worstOf(faults.map(({ kind }) => kind));
  const reason = faults.find(({ kind }) => kind === worst)?.reason ?? "unsafe_name";
  return new StellaError(reason, `Cannot export: ${what} of the inputs cannot be packed`, {
    findings: faults,
    hint,
  });
}

function nothing(sources: readonly FilesSource[]): StellaError {
  const where = sources.map((source) => shown(source.path)).join(", ") || "no input";
  if (sources.some(({ include, exclude = [] }) => include !== undefined || exclude.length > 0)) {
    const left = `include and exclude leave no file of ${where}`;
    return new StellaError("input_empty", `Cannot export: ${left}`, {
      hint: "check the globs: they match paths relative to the source and are case-sensitive",
    });
  }
  return new StellaError("input_empty", `Cannot export: no file was found in ${where}`, {
    hint: "give files or directories with --input PATH, or configure sources for the profile",
  });
}

function checkCreated(seconds: number): number {
  if (seconds >= earliestCreated && seconds <= latestCreated) return seconds;
  const what = `Cannot date the bundle ${new Date(seconds * 1000).toISOString()}`;
  const [first, last] = [earliestCreated, latestCreated].map(createdText);
  throw new StellaError("argument_invalid", what, {
    hint: `set SOURCE_DATE_EPOCH or touch the inputs: tar, zip and FAT hold ${first} to ${last}`,
  });
}

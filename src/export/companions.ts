/**
 * Companion files in a bundle: those that help to verify it without stella, and programs: stella
 * itself, and builds for other platforms.
 */
import { Buffer } from "node:buffer";
import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { ioError, ioReason, tryIo } from "../domain/io_errors.ts";
import { appendNew, writeNew } from "../domain/durable.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { asInput, inputChanged, openInput, statFolder } from "../bundle/input_file.ts";
import { type BundleFile, manifestName, oldManifestName } from "../bundle/manifest.ts";
import { folded, pathFault } from "../domain/paths.ts";
import type { PrivateFiles } from "../bundle/private_files.ts";
import verifyScript from "./verify.sh" with { type: "text" };
import verifyText from "./VERIFY.txt" with { type: "text" };

const [textName, scriptName] = ["VERIFY.txt", "verify.sh"];
/** Without the programs. */
export const companionNames = [textName, scriptName];

export interface CarriedProgram {
  /** In the bundle. */
  name: string;
  /** Where it is now. */
  path: string;
}

/** Stella itself is called stella whatever its file name, the other programs keep theirs. */
export function programsOf(
  self: string | undefined,
  binaries: readonly string[] = [],
): CarriedProgram[] {
  const others = binaries.map((path) => ({ name: basename(path), path }));
  return self === undefined ? others : [{ name: "stella", path: self }, ...others];
}

/**
 * Refuses, all at once, paths that are not files, and names that are taken or that another system
 * cannot hold.
 * @param taken the names of the bundle's other files
 * @throws StellaError usage; io if a path cannot be used
 */
export function checkPrograms(programs: readonly CarriedProgram[], taken: readonly string[]): void {
  const seen = new Set([manifestName, oldManifestName, ...taken].map(folded));
  const findings = programs.flatMap((program): Finding[] => {
    const { path } = program;
    const absent = absenceOf(path);
    const fault = faultOf(program, seen);
    seen.add(folded(program.name));
    if (absent !== undefined) return [absent];
    if (fault === undefined) return [];
    return [finding("program_unsuitable", { path, found: fault })];
  });
  const reason = findings[0]?.reason;
  if (reason === undefined) return;
  throw new StellaError(reason, "Cannot add a program to the bundle", {
    findings,
    hint: reason === "program_unsuitable"
      ? "give each build its own name, such as stella-aarch64 or stella.exe"
      : "name a stella binary that exists",
  });
}

/** Why nothing can be read at `path`; undefined if it is a file. */
function absenceOf(path: string): Finding | undefined {
  try {
    if (statSync(path).isFile()) return undefined;
    return finding("path_unusable", { path, found: "it is not a file" });
  } catch (error) {
    return finding(ioError("Cannot read", path, error).reason, { path, found: ioReason(error) });
  }
}

function faultOf({ name }: CarriedProgram, seen: Set<string>): string | undefined {
  if (name.startsWith(".")) return "its name begins with a dot";
  if (seen.has(folded(name))) return `the bundle has another file called ${name}`;
  // No verifier accepts a manifest that lists such a name.
  if (/\.(sigstore|hmac)\.json$/.test(folded(name))) return "its name is that of a signature";
  return pathFault(name);
}

interface Companions {
  readonly programs: readonly CarriedProgram[];
  readonly documents: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly privateFiles: PrivateFiles;
}

/** @throws StellaError io, usage, unsafe if a program is a private file */
export function writeCompanions(
  { programs, documents, privateFiles }: Companions,
  directory: string,
): BundleFile[] {
  return [
    ...documents.map(({ path, bytes }): BundleFile => ({
      ...written(directory, path, bytes, 0o644),
      role: "document",
    })),
    { ...written(directory, textName, verifyText, 0o644), role: "document" },
    { ...written(directory, scriptName, verifyScript, 0o755), role: "script", executable: true },
    ...programs.map((program) => copyProgram(directory, program, privateFiles)),
  ];
}

function written(directory: string, path: string, content: string | Uint8Array, mode: number) {
  writeNew(join(directory, path), content, mode);
  return { path, size: Buffer.byteLength(content), sha256: sha256(content) };
}

/**
 * Copies a program to `directory` in pieces: it has a hundred megabytes.
 * @throws StellaError io, usage, unsafe if it is a private file
 */
export function copyProgram(
  directory: string,
  { name, path }: CarriedProgram,
  privateFiles: PrivateFiles,
): BundleFile {
  const hash = startSha256();
  let size = 0;
  appendNew(join(directory, name), 0o755, (write) => {
    for (const piece of piecesOf(path, privateFiles)) {
      hash.update(piece);
      size += piece.length;
      write(piece);
    }
  });
  return { path: name, role: "program", executable: true, size, sha256: hash.digest("hex") };
}

/** Each piece is valid until the next one is requested. */
function* piecesOf(path: string, privateFiles: PrivateFiles): Generator<Uint8Array> {
  const buffer = new Uint8Array(1024 * 1024);
  const seen = programAt(path);
  const file = openInput(seen, privateFiles);
  try {
    file.assertSame();
    let left = seen.size;
    for (let count; left > 0 && (count = file.read(buffer)) > 0; left -= count) {
      yield buffer.subarray(0, count);
    }
    if (left !== 0) throw inputChanged(path);
    file.assertSame();
  } finally {
    file.close();
  }
}

/** A program may be named by a link, as package managers create them. @throws StellaError */
function programAt(path: string) {
  return tryIo("Cannot read", path, () => {
    const real = Deno.realPathSync(path);
    return asInput(real, Deno.lstatSync(real), statFolder(dirname(real)));
  });
}

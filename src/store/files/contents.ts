/** Lists and reads the files of a stored bundle in pieces, without blocking other requests. */
import { statSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../domain/hash.ts";
import {
  attestationName,
  bundleDigest,
  hmacName,
  type Layout,
  manifestName,
} from "../../bundle/manifest.ts";
import { pathFault } from "../../domain/paths.ts";
import { readManifest } from "../../bundle/read_manifest.ts";
import { createdSeconds } from "../../domain/time.ts";
import { StellaError } from "../../domain/errors.ts";
import { ioError } from "../../domain/io_errors.ts";

export interface StoredFile {
  /** Path in the manifest. */
  path: string;
  /** Bytes. */
  size: number;
  /** Lowercase hex; of a payload file, whose digest only the index has, that of the bundle. */
  digest: string;
  executable: boolean;
}

export interface Contents {
  directory: string;
  layout: Layout;
  /** Seconds since 1970. */
  created: number;
  bundleDigest: string;
  /** The manifest, its signatures, the index, then the rest in manifest order. */
  files: StoredFile[];
}

/** Bytes in memory per reader. */
const pieceSize = 256 * 1024;

/** @throws StellaError io, manifest */
export async function contentsOf(directory: string): Promise<Contents> {
  const bytes = await readSmallFile(directory, manifestName);
  const manifest = readManifest(bytes);
  const listed = manifest.files.map(({ path, size, sha256: digest, executable = false }) => {
    return { path, size, digest, executable };
  });
  const isIndex = ({ path }: StoredFile) => path === manifest.payload.index;
  const digest = bundleDigest(bytes);
  return {
    directory,
    layout: manifest.payload.layout,
    created: createdSeconds(manifest.created) ?? 0,
    bundleDigest: digest,
    files: [
      { path: manifestName, size: bytes.length, digest, executable: false },
      ...await signatureFiles(directory),
      ...listed.filter(isIndex),
      ...listed.filter((file) => !isIndex(file)),
    ],
  };
}

/** A file of the bundle by its path beside the manifest; undefined if there is none. */
export function findStored(contents: Contents, path: string): StoredFile | undefined {
  const listed = contents.files.find((file) => file.path === path);
  if (listed !== undefined || contents.layout !== "directory") return listed;
  if (!path.startsWith("payload/") || pathFault(path) !== undefined) return undefined;
  const stat = statSync(join(contents.directory, path), { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  return { path, size: stat.size, digest: contents.bundleDigest, executable: false };
}

/**
 * The bytes [from, to) of a stored file. It is opened at the first read and closed when reading
 * stops. The stream fails if the size is no longer `file.size`.
 */
export function storedBytes(
  { directory }: Contents,
  file: StoredFile,
  from = 0,
  to = file.size,
): ReadableStream<Uint8Array> {
  return ReadableStream.from(read(join(directory, file.path), file.size, from, to));
}

async function* read(path: string, size: number, from: number, to: number) {
  const file = await open(path).catch((error) => {
    throw ioError("Cannot read", path, error);
  });
  try {
    const found = (await file.stat()).size;
    if (found !== size) throw cut(path, size, found);
    for (let at = from; at < to;) {
      const piece = new Uint8Array(Math.min(pieceSize, to - at));
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw cut(path, size, at);
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function cut(path: string, expected: number, found: number): StellaError {
  const text = `Cannot read ${JSON.stringify(path)}: it has ${found} bytes and not ${expected}`;
  return new StellaError("size_changed", text, {
    hint: "restore the bundle, or export again: the file was changed in the store",
  });
}

async function signatureFiles(directory: string): Promise<StoredFile[]> {
  const files = [];
  for (const path of [attestationName, hmacName]) {
    if (statSync(join(directory, path), { throwIfNoEntry: false }) === undefined) continue;
    const bytes = await readSmallFile(directory, path);
    files.push({ path, size: bytes.length, digest: sha256(bytes), executable: false });
  }
  return files;
}

function readSmallFile(directory: string, name: string): Promise<Uint8Array> {
  const path = join(directory, name);
  return readFile(path).catch((error) => {
    throw ioError("Cannot read", path, error);
  });
}

/** What lies in a stored bundle, and its bytes, read a piece at a time without holding up whoever else is served. */
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
import { ioError, StellaError } from "../../domain/errors.ts";

export interface StoredFile {
  /** As the manifest spells it. */
  path: string;
  /** Bytes. */
  size: number;
  /** Lowercase hex; of a payload file, which only the index knows, the bundle's. Either way the same tag means the same bytes. */
  digest: string;
  executable: boolean;
}

export interface Contents {
  directory: string;
  layout: Layout;
  /** Seconds since 1970. */
  created: number;
  bundleDigest: string;
  /** The manifest, what signs and seals it, the index, then the rest in the manifest's order. */
  files: StoredFile[];
}

/** Bytes that are in memory for one reader. */
const pieceSize = 256 * 1024;

/** @throws StellaError media, manifest */
export async function contentsOf(directory: string): Promise<Contents> {
  const bytes = await readSmallFile(directory, manifestName);
  const manifest = readManifest(bytes);
  const listed = manifest.files.map(({ path, size, sha256, executable }) => ({
    path,
    size,
    digest: sha256,
    executable: executable === true,
  }));
  const isIndex = ({ path }: StoredFile) => path === manifest.payload.index;
  const digest = bundleDigest(bytes);
  return {
    directory,
    layout: manifest.payload.layout,
    created: createdSeconds(manifest.created) ?? 0,
    bundleDigest: digest,
    files: [
      { path: manifestName, size: bytes.length, digest, executable: false },
      ...await besides(directory),
      ...listed.filter(isIndex),
      ...listed.filter((file) => !isIndex(file)),
    ],
  };
}

/** One file of the bundle by its path beside the manifest; undefined where there is none. */
export function findStored(contents: Contents, path: string): StoredFile | undefined {
  const listed = contents.files.find((file) => file.path === path);
  if (listed !== undefined || contents.layout !== "directory") return listed;
  if (!path.startsWith("payload/") || pathFault(path) !== undefined) return undefined;
  const stat = statSync(join(contents.directory, path), { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  return { path, size: stat.size, digest: contents.bundleDigest, executable: false };
}

/**
 * The bytes [from, to) of a stored file. Nothing is opened before somebody reads, and it is closed when they stop.
 * The stream fails where the file has become shorter or longer than `file.size`.
 */
export function storedBytes(
  { directory }: Contents,
  file: StoredFile,
  from = 0,
  to = file.size,
): ReadableStream<Uint8Array> {
  const pieces = read(join(directory, file.path), file.size, from, to);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  }, { highWaterMark: 0 });
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
  return new StellaError("media", text, { hint: "something changed it in the store" });
}

async function besides(directory: string): Promise<StoredFile[]> {
  const files = [];
  for (const path of [attestationName, hmacName]) {
    if (statSync(join(directory, path), { throwIfNoEntry: false }) === undefined) continue;
    const bytes = await readSmallFile(directory, path);
    files.push({ path, size: bytes.length, digest: sha256(bytes), executable: false });
  }
  return files;
}

async function readSmallFile(directory: string, name: string): Promise<Uint8Array> {
  const path = join(directory, name);
  try {
    return await readFile(path);
  } catch (error) {
    throw ioError("Cannot read", path, error);
  }
}

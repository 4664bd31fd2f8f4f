/**
 * Compares what the manifest lists with what exists: first the files beside it, then index and
 * payload in one pass. Large bundles use workers, with the same findings.
 */
import { finding } from "../domain/errors.ts";
import { type ChunkPool, localPool, type StreamingDigest } from "../bundle/chunk_pool.ts";
import { IndexFault } from "../bundle/index_file.ts";
import { type BundleFile, type Manifest, manifestName } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import { createdSeconds } from "../domain/time.ts";
import { ArchiveReader } from "./archive_reader.ts";
import { checkDirectory } from "./directory.ts";
import { CollisionSearch, NameHashes } from "../bundle/case_collisions.ts";
import { caseCollision, digestDiffers, sizeDiffers, tooManyCollisions } from "./findings.ts";
import type { Findings } from "../bundle/finding_list.ts";
import { checkFile, type OnFile, openFile, type Pass } from "./files.ts";
import { IndexReader } from "./index_reader.ts";
import { mergeArchive, type Merged } from "./merge.ts";
import { TarCursor } from "./tar_cursor.ts";

/** Bytes below which workers cost more than they save; an open costs as much as `bytesPerOpen`. */
export const workerThreshold = 64 * 1024 * 1024;
const bytesPerOpen = 16 * 1024;
/** Bytes below which transferring a file to a worker takes longer than hashing it here. */
const transferThreshold = 512 * 1024;

export interface ContentOptions {
  /** Awaited before the first byte of content; `isRefused`: the signature already refuses it. */
  begin?: (manifest: Manifest, isRefused: boolean) => void | Promise<void>;
  /** Called for each file of the payload. */
  onFile?: OnFile;
  /** Bytes read so far and bytes to read. */
  progress?: (done: number, total: number) => void;
  /** Starts workers, with read permission if `mayRead`; small bundles need none. */
  workers?: (mayRead: boolean) => ChunkPool;
}

/** @returns the number of payload files whose digest matches */
export async function checkContent(
  source: BundleSource,
  manifest: Manifest,
  findings: Findings,
  options: ContentOptions,
): Promise<number> {
  const isDirectory = manifest.payload.layout === "directory";
  const { bytes, files: opened } = isDirectory ? manifest.payload : { bytes: 0, files: 0 };
  const total = manifest.files.reduce((sum, file) => sum + file.size, 0) + bytes;
  let done = 0;
  const progress = (bytes: number) => options.progress?.(done += bytes, total);
  const isWorth = total + opened * bytesPerOpen >= workerThreshold;
  // Workers that decode an archive get no permissions at all.
  const pool = isWorth ? options.workers?.(isDirectory) ?? localPool : localPool;
  try {
    const pass = { source, findings, progress, pool, onFile: options.onFile };
    let files: number | undefined;
    // In manifest order, the index with the first archive: the order of a stream.
    for (const file of manifest.files) {
      if (file.role === "archive") files ??= await checkPayload(manifest, pass);
      else if (file.role !== "index") await checkFile(source, file, findings, progress);
    }
    return files ?? await checkPayload(manifest, pass);
  } finally {
    pool.close();
  }
}

async function checkPayload(manifest: Manifest, pass: Pass): Promise<number> {
  const indexFile = manifest.files.find((file) => file.role === "index")!;
  const volumes = manifest.files.filter((file) => file.role === "archive");
  const archive = new ArchiveReader(volumes, pass);
  const reader = await openFile(pass.source, indexFile, pass.findings);
  try {
    if (reader === undefined) return await checkWithoutIndex(archive);
    const names = new NameHashes();
    const index = new IndexReader(reader, indexFile.size, (path) => names.add(path));
    const merged = manifest.payload.layout === "directory"
      ? await checkDirectory(index, manifest.payload.bytes, pass)
      : await mergeArchive(
        index,
        new TarCursor(archive),
        volumes[0]!.path,
        createdSeconds(manifest.created)!,
        { onFile: pass.onFile, digestOf: (size) => fileDigest(pass, size) },
      );
    const indexRight = await checkIndexDigest(index, indexFile, pass);
    addMerged(merged, manifest, pass.findings, indexRight && !archive.damaged);
    await checkCaseCollisions(pass, indexFile, names.shared());
    return merged.files;
  } finally {
    reader?.close();
    archive.close();
  }
}

/**
 * Receiving bytes from the network takes this thread as long as hashing them, so a worker hashes
 * large files. For local files (only those can be listed) transferring each piece to a worker costs
 * a sixth more than hashing it here.
 */
function fileDigest({ source, pool }: Pass, size: number): StreamingDigest {
  const isLent = source.walk === undefined && size >= transferThreshold;
  return (isLent ? pool : localPool).digestFile();
}

/** The stored bytes can still be verified, but not which files they contain. */
async function checkWithoutIndex(archive: ArchiveReader): Promise<number> {
  while (await archive.next() !== undefined);
  return 0;
}

async function checkIndexDigest(
  index: IndexReader,
  file: BundleFile,
  { findings, progress }: Pass,
): Promise<boolean> {
  const found = await index.finish();
  progress(found.size);
  if (found.size === file.size && found.sha256 === file.sha256) return true;
  findings.add(
    found.size === file.size
      ? digestDiffers(file.path, file.sha256, found.sha256)
      : sizeDiffers(file, Math.max(found.size, index.reader.size)),
  );
  return false;
}

/** Compares names that share a hash; the index is read a second time only if there are any. */
async function checkCaseCollisions(
  { source, findings }: Pass,
  file: BundleFile,
  shared: ReadonlySet<number>,
): Promise<void> {
  const reader = shared.size === 0 ? undefined : await openFile(source, file, findings);
  if (reader === undefined) return;
  try {
    const search = new CollisionSearch(shared);
    const pairs: [string, string][] = [];
    const index = new IndexReader(reader, file.size, (path) => pairs.push(...search.add(path)));
    for (let e = await index.peek(); e !== undefined; e = await index.peek()) {
      index.take();
      for (const [name, other] of pairs.splice(0)) {
        if (name !== other) findings.add(caseCollision(name, other));
      }
    }
    if (search.isFull) findings.add(tooManyCollisions());
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    // Errors were reported when the index was first read.
  } finally {
    reader.close();
  }
}

/** If the digest of the stored bytes differs, each finding only says where. */
function addMerged(merged: Merged, manifest: Manifest, findings: Findings, sound: boolean): void {
  findings.take(merged.findings, sound ? [] : ["unexpected", "unsafe"], "digest_mismatch");
  const { files, bytes } = manifest.payload;
  if (!merged.findings.none || (merged.files === files && merged.bytes === bytes)) return;
  findings.add(finding("payload_differs", {
    path: manifestName,
    found: `${merged.files} files of ${merged.bytes} bytes`,
    expected: `${files} files of ${bytes} bytes`,
    hint: "report this to the sender of the bundle: manifest and index disagree",
  }));
}

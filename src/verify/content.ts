/**
 * What the manifest lists, against what is there: the files beside it, then index and payload in one pass. Large bundles get workers;
 * what is found is the same without them.
 */
import { type ChunkPool, localPool, type StreamingDigest } from "../bundle/chunk_pool.ts";
import { IndexFault } from "../bundle/index_file.ts";
import { type BundleFile, type Manifest, manifestName } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import { createdSeconds } from "../domain/time.ts";
import { ArchiveReader } from "./archive_reader.ts";
import { checkDirectory } from "./directory.ts";
import { CollisionSearch, NameHashes } from "./case_collisions.ts";
import { caseCollision, digestDiffers, sizeDiffers, tooManyCollisions } from "./findings.ts";
import type { Findings } from "../bundle/finding_list.ts";
import { checkFile, openFile, type Progress } from "./files.ts";
import { IndexReader } from "./index_reader.ts";
import { mergeArchive, type Merged } from "./merge.ts";
import type { OnFile } from "./on_file.ts";
import { TarCursor } from "./tar_cursor.ts";

/** Below this many stored bytes starting a worker costs more than it saves; opening a file costs as much as some thousand bytes. */
export const workerThreshold = 64 * 1024 * 1024;
const bytesPerOpen = 16 * 1024;
/** Bytes of a file below which a worker takes longer to answer than to hash. */
const transferThreshold = 512 * 1024;

export interface ContentOptions {
  /**
   * Told the manifest before the first byte of content, which waits for what it gives; `isRefused`: who signed it settles already
   * that the bundle is.
   */
  begin?: (manifest: Manifest, isRefused: boolean) => void | Promise<void>;
  /** A look at the payload on the way. */
  onFile?: OnFile;
  /** Bytes read so far and bytes to read. */
  progress?: (done: number, total: number) => void;
  /** Workers for a large bundle, which may read where `mayRead`; without them, and for small bundles, all is done in place. */
  workers?: (mayRead: boolean) => ChunkPool;
}

/** What the checks of one bundle share. */
export interface Pass {
  source: BundleSource;
  findings: Findings;
  progress: Progress;
  pool: ChunkPool;
  onFile: OnFile | undefined;
}

/** @returns the payload files whose digest was found right */
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
  // The chunks of an archive are decoded by workers that may do nothing at all.
  const pool = isWorth ? options.workers?.(isDirectory) ?? localPool : localPool;
  try {
    const pass = { source, findings, progress, pool, onFile: options.onFile };
    let files: number | undefined;
    // In the manifest's order, the index with the first archive: so a stream gives them.
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
 * Bytes that came from afar took this thread as long as their digest does, so a worker takes that of a large file. Where they lie
 * here (only then they can be listed), to hand each piece to a second worker costs a sixth more than to hash it.
 */
function fileDigest({ source, pool }: Pass, size: number): StreamingDigest {
  const isLent = source.walk === undefined && size >= transferThreshold;
  return (isLent ? pool : localPool).digestFile();
}

/** The stored bytes can still be judged; which files they hold cannot. */
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

/**
 * Names that share a number are compared; the index is read a second time only where there are
 * such.
 */
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
      for (const [name, twin] of pairs.splice(0)) findings.add(caseCollision(name, twin));
    }
    if (search.isFull) findings.add(tooManyCollisions());
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    // It was told when the index was read the first time.
  } finally {
    reader.close();
  }
}

/** What the merge found is a detail of code 7 where the stored bytes themselves were already wrong. */
function addMerged(merged: Merged, manifest: Manifest, findings: Findings, sound: boolean): void {
  findings.take(merged.findings, (code) => {
    return !sound && (code === "unexpected" || code === "unsafe") ? "digest" : code;
  });
  const { files, bytes } = manifest.payload;
  if (!merged.findings.none || (merged.files === files && merged.bytes === bytes)) return;
  findings.add({
    code: "digest",
    reason: "payload_differs",
    path: manifestName,
    found: `${merged.files} files of ${merged.bytes} bytes`,
    expected: `${files} files of ${bytes} bytes`,
    hint: "the manifest contradicts its own index: ask its maker",
  });
}

/** Opens and checks listed files, for all checks of a bundle; what is wrong becomes a finding. */
import { StellaError } from "../domain/errors.ts";
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import type { BundleFile } from "../bundle/manifest.ts";
import { type BundleSource, type ByteReader, digestOf } from "../bundle/source.ts";
import { absent, digestDiffers, sizeDiffers, unsafe } from "./findings.ts";
import type { Findings } from "../bundle/finding_list.ts";

/** Called with the bytes read since the last call. */
export type Progress = (bytes: number) => void;

export interface PayloadFile {
  path: string;
  size: number;
  /** 0o644 or 0o755 as the archive states it; 0o644 for a payload stored as files. */
  mode: number;
  /** Digest according to the index; findings say whether the content matches. */
  sha256: string;
}

/**
 * Called for each file before its content, in order; may return a consumer for the pieces, views
 * that are valid during the call. The data must not be used before the verdict.
 */
export type OnFile = (file: PayloadFile) => ((piece: Uint8Array) => void) | undefined;

/** State shared by the checks of one bundle. */
export interface Pass {
  source: BundleSource;
  findings: Findings;
  progress: Progress;
  pool: ChunkPool;
  onFile: OnFile | undefined;
}

/** Opens a listed file; a missing or unsafe one becomes a finding and undefined. */
export async function openFile(
  source: BundleSource,
  file: { path: string; volume?: unknown },
  findings: Findings,
): Promise<ByteReader | undefined> {
  try {
    const reader = await source.open(file.path);
    if (reader !== undefined) return reader;
    findings.add(absent(file));
  } catch (error) {
    if (!(error instanceof StellaError) || error.kind !== "unsafe") throw error;
    findings.add(unsafe(file.path, error));
  }
  return undefined;
}

/** Compares size and SHA-256 of a listed file that is neither index nor archive. */
export async function checkFile(
  source: BundleSource,
  file: BundleFile,
  findings: Findings,
  progress: Progress,
): Promise<void> {
  const reader = await openFile(source, file, findings);
  if (reader === undefined) return;
  try {
    const found = await digestOf(reader, file.size, progress);
    if (found.size !== file.size) return findings.add(sizeDiffers(file, reader.size));
    if (found.sha256 === file.sha256) return;
    findings.add(digestDiffers(file.path, file.sha256, found.sha256));
  } finally {
    reader.close();
  }
}

/**
 * manifest.json, the document that is signed. It lists every file beside it. This module fixes the
 * fields and their order; read_manifest.ts reads it strictly.
 */
import { sha256 } from "../domain/hash.ts";

export const manifestName = "manifest.json";
export const attestationName = "manifest.json.sigstore.json";
/** The HMAC signature by a shared secret; it never replaces the attestation. */
export const hmacName = "manifest.json.hmac.json";
export const indexName = "SHA256SUMS";
/** The old manifest while a bundle is being replaced. */
export const oldManifestName = "manifest.json.old";

export const mediaTypes = {
  manifest: "application/vnd.stella.bundle.manifest.v1+json",
  tar: "application/vnd.stella.bundle.archive.v1.tar",
  tarZstd: "application/vnd.stella.bundle.archive.v1.tar+zstd",
  attestation: "application/vnd.dev.sigstore.bundle.v0.3+json",
} as const;

/** 4 MiB: the part of the tar in one zstd frame, and the unit in which damage is located. */
export const chunkSize = 4 * 1024 * 1024;

export type Role = "archive" | "document" | "index" | "program" | "script";
export type Layout = "archive" | "directory";
export type Compression = "zstd" | "none";

export interface Chunk {
  /** Size as stored, in bytes. */
  size: number;
  /** Lowercase hex digest of the stored bytes. */
  sha256: string;
}

export interface BundleFile {
  path: string;
  role: Role;
  /** Not for archives and volumes. */
  mediaType?: string;
  executable?: true;
  size: number;
  sha256: string;
  /** Tar bytes in this file; for archives and volumes only, like the next two fields. */
  uncompressedSize?: number;
  chunkSize?: number;
  chunks?: Chunk[];
  volume?: { index: number; of: number };
}

export interface Manifest {
  schemaVersion: 1;
  mediaType: typeof mediaTypes.manifest;
  profile: string;
  tenant: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`, 1980 to 2107. */
  created: string;
  /**
   * Numbers the states of the profile; see src/export/sequences.ts. Absent in bundles of version
   * 0.1, and where an export had no state directory.
   */
  sequence?: number;
  tool: { name: string; version: string; commit: string };
  payload: {
    layout: Layout;
    index: string;
    files: number;
    /** Total size of the payload files in bytes. */
    bytes: number;
    /** bundleDigest of the base bundle; reserved for deltas. */
    base?: string;
  };
  files: BundleFile[];
}

/** All fields, in an order that is the documented one within each object. */
const fieldOrder = [
  ...["path", "role", "schemaVersion", "mediaType", "executable", "profile", "tenant", "created"],
  ...["sequence", "tool", "payload", "name", "version", "commit", "layout", "index", "files"],
  ...["bytes", "base", "size", "sha256", "uncompressedSize", "chunkSize", "chunks", "volume", "of"],
];

/** Compact JSON in the documented key order with one line feed at the end. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(manifest, fieldOrder) + "\n");
}

/** The state of the payload that a sequence numbers: the digest of its index, lowercase hex. */
export function stateOf({ files, payload }: Manifest): string {
  return files.find(({ path }) => path === payload.index)?.sha256 ?? "";
}

/** SHA-256 of the manifest's exact bytes, lowercase hex. */
export function bundleDigest(manifestBytes: Uint8Array): string {
  return sha256(manifestBytes);
}
